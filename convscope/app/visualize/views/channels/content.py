"""The data files of the channels view: a study of channels as JSON values.

Numbers have four significant digits. Numbers by class are lists in the order of the classes of the study:
a name of a class is never a key. What was not computed is absent.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from convscope.vis.channel_statistics import FEWEST
from convscope.vis.channels.links import Link
from convscope.vis.channels.removal import Accuracy
from convscope.vis.channels.study import LayerStudy, Study
from convscope.vis.channels.survey import PERCENTILES, histograms, ranks_at

COLUMNS = (
    "layer", "channel", "mean", "max", "sparsity", "dead", "class", "push", "accuracy_without", "similar",
    "correlation",
)  # fmt: skip
_BINS = 20

Key = Callable[[int], str]  # of a layer, by its index


def index_content(study: Study, names: Sequence[str], paths: Sequence[str], key: Key) -> dict[str, Any]:
    """Return what all layers share.

    Args:
        study: the study.
        names: the names of all classes.
        paths: the path of each image of the study.
        key: a function from the index of a layer to the name of its data.
    """
    position = {int(label): index for index, label in enumerate(study.classes)}
    of_layer = [_of_layer(layer, key) | {"channels": layer.layer.output.channels} for layer in study.layers]
    counts = {"images": len(study.images), "push": len(study.pushed)}
    content: dict[str, Any] = {
        "classes": [names[label] for label in study.classes],
        "grouped_by": "true" if study.has_truth else "predicted",
        "images": [[path, position.get(int(label))] for path, label in zip(paths, study.groups, strict=True)],
        "percentiles": list(ranks_at(PERCENTILES, len(study.images)).values()),
        "counts": counts | ({"removed": len(study.removed)} if study.before else {}),
        "layers": of_layer,
        "left_out": study.left_out,
    }
    if study.before:
        groups = study.groups[np.isin(study.images, study.removed)]
        content["before"] = _accuracy(study.before)
        content["removed_of_class"] = [int((groups == label).sum()) for label in study.classes]
    return content


def layer_content(study: Study, layer: LayerStudy, key: Key, tiles: dict[int, int]) -> dict[str, Any]:
    """Return the numbers of the channels of one layer.

    Args:
        study: the study.
        layer: one of its layers.
        key: see `index_content`.
        tiles: by channel, the index of its first example in the picture of the layer's examples.
    """
    values, shown = layer.values, list(map(int, study.classes))
    groups = np.array([shown.index(label) if label in shown else len(shown) for label in study.groups])
    rows = len(shown) + bool((groups == len(shown)).any())
    counts, low, high = histograms(values.peaks, groups, rows, _BINS)
    examples, mean = values.examples(), values.mean
    removed = {int(channel): row for row, channel in enumerate(layer.removed)}
    channels = []
    for channel in range(layer.layer.output.channels):
        content: dict[str, Any] = {
            "mean": rounded(mean[channel]),
            "max": rounded(high[channel]),
            "sparsity": rounded(values.zeros[channel]),
            "histogram": {
                "low": rounded(low[channel]),
                "high": rounded(high[channel]),
                "counts": counts[channel].tolist(),
            },
            "examples": {
                "images": examples.example[channel].tolist(),
                "values": rounded(examples.value[channel]),
            },
            "similar": [[other, rounded(correlation)] for other, correlation in layer.similar[channel]],
        }
        if channel in tiles:
            content["examples"]["tile"] = tiles[channel]
        if layer.push is not None:
            content["push"] = rounded(layer.push[channel])
        if layer.change is not None and channel in removed:
            content["removed"] = _accuracy(layer.change.at(removed[channel]))
        if layer.links is not None:
            content["inputs"] = _links(layer.links.inputs[channel], key)
            content["outputs"] = _links(layer.links.outputs[channel], key)
        channels.append(content)
    return {**_of_layer(layer, key), "shape": list(layer.layer.output.shape), "channels": channels}


def table_rows(study: Study, names: Sequence[str]) -> Iterator[tuple[str | int | float, ...]]:
    """Yield a row for each channel; `COLUMNS` names the cells, and an unknown value is empty."""
    for layer in study.layers:
        values, mean, highest = layer.values, layer.values.mean, layer.values.top.value[:, 0]
        removed = {int(channel): row for row, channel in enumerate(layer.removed)}
        for channel in range(layer.layer.output.channels):
            pushed: tuple[str | float, ...] = ("", "")
            if layer.push is not None:
                strongest = int(np.abs(layer.push[channel]).argmax())
                pushed = names[study.classes[strongest]], rounded(layer.push[channel, strongest])
            change: str | float = ""
            is_zero = bool(values.always_zero[channel])
            dead = "" if is_zero and not enough_images(study) else int(is_zero)
            if layer.change is not None and channel in removed:
                change = rounded(layer.change.all[removed[channel]])
            similar = layer.similar[channel][0] if layer.similar[channel] else ("", "")
            yield (
                layer.layer.path, channel, rounded(mean[channel]), rounded(highest[channel]),
                rounded(values.zeros[channel]), dead, *pushed, change, similar[0],
                rounded(similar[1]) if similar[1] != "" else "",
            )  # fmt: skip


def enough_images(study: Study) -> bool:
    """Return whether a channel that is zero on all images of a study can be called dead."""
    return len(study.images) >= FEWEST


def rounded(values: Any) -> Any:
    """Return a number, or a list of numbers, with four significant digits; None for NaN."""
    array = np.asarray(values, np.float64)
    if array.ndim:
        return [rounded(value) for value in array]
    return None if np.isnan(array) else float(f"{float(array):.4g}")


def _of_layer(layer: LayerStudy, key: Key) -> dict[str, Any]:
    return {
        "key": key(layer.layer.output.index),
        "layer": layer.layer.path,
        "members": [key(member.index) for member in layer.layer.members],
        "dead": np.flatnonzero(layer.values.always_zero).tolist(),
    }


def _accuracy(one: Accuracy) -> dict[str, Any]:
    return {
        "accuracy": rounded(one.of_class), "all": rounded(one.all), "probability": rounded(one.probability)
    }  # fmt: skip


def _links(links: Sequence[Link], key: Key) -> list[list[Any]]:
    return [[key(link.layer), link.channel, rounded(link.strength)] for link in links]
