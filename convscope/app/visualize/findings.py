"""Sentences on what a run found, each with the address on the page where it can be seen."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

UNSURE = 0.6  # a photograph below this probability is worth a look
_MOST = 3  # photographs that a sentence names


def findings(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the findings as pairs of `text` and `route`.

    Args:
        content: the page as JSON, with the results of the training.
    """
    found = [
        *_compared(content),
        *_accuracy(content),
        *_worst_confusion(content["training"].get("confusion")),
        *_dead_channels(content),
        *_silent_channels(content),
        *_photographs(content["photographs"]),
    ]
    return [{"text": text, "route": route} for text, route in found]


def _accuracy(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    metrics = content["training"].get("metrics", {})
    for split in ("test", "validation"):
        scores = metrics.get(split)
        if scores and "accuracy" in scores:
            text = f"The model predicts {_percent(scores['accuracy'])} of the {split} images correctly"
            route = "mistakes" if "confusion" in content["training"] else "about"
            constant = _constant_answer(content["training"].get("confusion"), split, scores)
            yield f"{text}{_interval(scores)}.{constant}", route
            return


def _compared(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the best run of a sweep, or the accuracy of each of several models."""
    sweep = content["training"].get("sweep")
    if sweep and {"run", "validation_loss"} <= set(sweep["columns"]):
        name, loss = (sweep["columns"].index(column) for column in ("run", "validation_loss"))
        complete = [row for row in sweep["rows"] if isinstance(row[loss], int | float)]
        if complete:
            best = min(complete, key=lambda row: row[loss])
            count = sweep.get("complete", len(complete))  # a large sweep has more runs than rows
            yield (
                f"The lowest validation loss of {_count(count, 'complete run')} of the sweep is "
                f"{best[loss]:.4f}: {best[name]}.",
                "compare",
            )
        return
    for split in ("test", "validation"):
        known = [(run["title"], run["metrics"].get(split, {})) for run in content.get("runs", [])]
        said = [
            f"{title} {_percent(scores['accuracy'])}{_interval(scores)}"
            for title, scores in known
            if "accuracy" in scores
        ]
        if said:
            yield (
                f"Share of the {split} images that each model predicts correctly: {', '.join(said)}.",
                "compare",
            )
            return


def _interval(scores: Mapping[str, Any]) -> str:
    if "accuracy_95" not in scores:
        return ""
    low, high = scores["accuracy_95"]
    return f" (95 % interval: {_percent(low)} to {_percent(high)})"


def _constant_answer(confusion: Mapping[str, Any] | None, split: str, scores: Mapping[str, Any]) -> str:
    """Return what one constant answer achieves, if the accuracy may be no better than that."""
    if "accuracy_95" not in scores or not confusion or confusion.get("split") != split:
        return ""
    counts: dict[str, int] = {}
    for true, _, count in confusion["counts"]:
        counts[true] = counts.get(true, 0) + count
    most = max(counts, key=lambda name: counts[name])
    share = counts[most] / sum(counts.values())
    if scores["accuracy_95"][0] > share:
        return ""
    return f" It may be no better than the constant answer “{most}”, which is correct for {_percent(share)}."


def _worst_confusion(confusion: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    counts = confusion["counts"] if confusion else []
    wrong = [row for row in counts if row[0] != row[1]]
    if wrong:
        true, predicted, count = max(wrong, key=lambda row: row[2])
        of_class = sum(row[2] for row in counts if row[0] == true)
        yield (
            f"Its most frequent mistake: it calls {count:,} of {_count(of_class, 'image')} of {true} "
            f"“{predicted}”.",
            _route("mistakes", true, predicted),
        )


def _dead_channels(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the layer with the largest share of channels that are zero on all reference images."""
    paths = {layer["key"]: layer for layer in content["layers"]}
    dead = [data for data in _data(content, "channels") if data.get("dead")]
    if dead:
        worst = max(dead, key=lambda data: len(data["dead"]) / paths[data["layer"]]["shape"][-1])
        layer = paths[worst["layer"]]
        total = sum(len(data["dead"]) for data in dead)
        images = "on " + ("1 image" if worst["images"] == 1 else f"all {worst['images']:,} images")
        said = (
            f"dead: zero {images}"
            if worst.get("enough")
            else f"zero {images}, too few to call a channel dead"
        )
        text = (
            f"{_count(total, 'channel')} in {_count(len(dead), 'layer')} {'is' if total == 1 else 'are'} "
            f"{said}. The largest share is in {layer['path']}: {len(worst['dead'])} of {layer['shape'][-1]}."
        )
        yield text, _route("layer", layer["path"]) + "?filter=dead"


def _silent_channels(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the layer with the largest share of channels that are silent on the photographs."""
    paths = {layer["key"]: layer for layer in content["layers"]}
    shares: dict[str, list[float]] = {}
    for data in _data(content, "maps"):
        layer = paths[data["layer"]]
        if data["model"] == 0 and "Conv" in layer["kind"]:
            shares.setdefault(data["layer"], []).append(data["silent"] / layer["shape"][-1])
    means = {key: sum(values) / len(values) for key, values in shares.items()}
    if means and max(means.values()) > 0:
        key = max(means, key=lambda one: means[one])
        path = paths[key]["path"]
        yield (
            f"Most silent layer on these photographs: {path}, where {_percent(means[key])} of the channels "
            "have the same value everywhere. After a ReLU this is normal.",
            _route("layer", path) + "?filter=dead",
        )


def _photographs(photographs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    scored = [one for one in photographs if one["scores"]]
    wrong = [one for one in scored if one["truth"] and one["truth"] != one["scores"][0][0]]
    labelled = [one for one in scored if one["truth"]]
    for one in wrong[:_MOST]:
        name, probability = one["scores"][0]
        yield (
            f"It takes {one['name']} (true class: {one['truth']}) for “{name}” ({_percent(probability)}).",
            _route("image", one["key"]),
        )
    if labelled and len(wrong) > _MOST:
        yield f"In total, {len(wrong)} of these {len(labelled)} photographs get a wrong class.", ""
    for one in sorted(scored, key=lambda one: one["scores"][0][1])[:1]:
        (name, first), *others = one["scores"]
        if first < UNSURE and others:
            yield (
                f"It is least sure of {one['name']}: {name} {_percent(first)}, {others[0][0]} "
                f"{_percent(others[0][1])}.",
                _route("image", one["key"]),
            )


def _data(content: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    known = {layer["key"] for layer in content["layers"]}
    data = [artifact["data"] for artifact in content["artifacts"] if "data" in artifact]
    return [one for one in data if one["kind"] == kind and one["layer"] in known]


def _route(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
