"""The model card of a run: what is known about the model, and a section for the person to fill in.

M. Mitchell et al., Model Cards for Model Reporting (2019).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope import invocation
from convscope.data.manifest import SPLITS, Manifest, open_dataset
from convscope.errors import ConvscopeError
from convscope.files import write_text
from convscope.models.bundle import Contract, versions
from convscope.models.calibration import COVERAGE
from convscope.names import printable
from convscope.training.evaluate import Evaluation

FILE, BESIDE = "MODEL_CARD.md", "MODEL_CARD.new.md"
MOST_CLASSES, MOST_CONFUSIONS = 50, 10
SHOWN_IF_ZERO = ("seed", "epochs")
_MARK = re.compile(r"\n<!-- convscope: ([0-9a-f]{64}) -->\n\Z")
_FILL_IN = "*Please fill in: "


def write(
    directory: Path, contract: Contract, results: Mapping[str, Any], last: Evaluation, *, command: str
) -> None:
    """Write `MODEL_CARD.md` into a run directory, or `MODEL_CARD.new.md` beside a card that was edited.

    Edited cards are never replaced.

    Args:
        directory: the run directory.
        contract: the contract of the model.
        results: the scores of each split, as in `metrics.json`.
        last: the predictions for the last split of `results`.
        command: the command of the training.
    """
    text = "\n".join(_lines(contract, results, last, command)) + "\n"
    content = f"{text}\n<!-- convscope: {_hash(text)} -->\n"
    paths = [directory / FILE, directory / BESIDE]
    free = [path for path in paths if not path.exists() or _is_generated(path)]
    if free != paths:
        card = f"the card of this run is {free[0].name}" if free else "this run has none"
        print(f"note: the edited model card in {directory} is kept; {card}")
    if free:
        write_text(free[0], content)


def remove_generated(directory: Path) -> None:
    """Remove the cards of an earlier run, unless they were edited."""
    for path in (directory / FILE, directory / BESIDE):
        if path.is_file() and _is_generated(path):
            path.unlink()


def _is_generated(path: Path) -> bool:
    """Return whether a card is as convscope wrote it: its last line has the hash of the text before."""
    try:
        content = path.read_text("utf-8")
    except (OSError, ValueError):
        return False
    mark = _MARK.search(content)
    return mark is not None and mark[1] == _hash(content[: mark.start()])


def settings(contract: Contract) -> str:
    """Return the settings of a training in one line, without those that are switched off."""
    shown = {name: value for name, value in contract.training.items() if value or name in SHOWN_IF_ZERO}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    shown = "".join(letter if letter.isprintable() else " " for letter in printable(text))
    special = re.sub(r"([\\`*_{}\[\]()#+!|~@]|:(?=//)|(?<=www)\.)", r"\\\1", shown)
    return special.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _lines(contract: Contract, results: Mapping[str, Any], last: Evaluation, command: str) -> Iterator[str]:
    shown = list(results)[-1]
    size = "×".join(map(str, contract.input_size))
    yield f"# {escaped(contract.name)}, trained on {escaped(contract.dataset['name'])}"
    yield ""
    yield (
        f"An image classifier with {len(contract.class_names)} classes. Its input has {size} pixels and the "
        f"preprocessing {escaped(contract.preprocessing.name)}; `model.json` describes both."
    )
    for title, lines in (
        ("Intended use", _to_fill_in()),
        ("Data", _data(contract)),
        ("Metrics", _metrics(contract, results, shown)),
        ("Calibration", _calibration(results[shown], shown)),
        ("Known confusions", _confusions(last, contract.class_names, shown)),
        ("Training", _training(contract, command)),
    ):
        yield from ("", f"## {title}", "", *lines)


def _to_fill_in() -> Iterator[str]:
    yield f"{_FILL_IN}what the model is for, and who uses it.*"
    yield ""
    yield f"{_FILL_IN}what it must not be used for, and who could be harmed by a wrong prediction.*"


def _data(contract: Contract) -> Iterator[str]:
    dataset = contract.dataset
    yield f"- Name: {escaped(dataset['name'])}"
    manifest = _manifest(dataset)
    if manifest:
        for key, value in manifest.source.items():
            if value and isinstance(value, str):
                yield f"- {escaped(key).capitalize()}: {escaped(value)}"
    for key, title in (("manifest_sha256", "the manifest"), ("split_sha256", "the split")):
        if dataset.get(key):
            yield f"- SHA-256 of {title}: `{dataset[key]}`"
    if "fold" in dataset:
        yield f"- Fold: {dataset['fold']}"
    if not manifest:
        return
    if manifest.duplicates:
        split_of = {image.path: image.split for image in manifest.images}
        groups = [{split_of.get(path) for path in group["images"]} for group in manifest.duplicates]
        yield (
            f"- Duplicates: {len(groups):,} groups; {sum(len(splits) > 1 for splits in groups):,} of them in "
            f"more than one split, {len(manifest.conflicts):,} in more than one class"
        )
    yield ""
    counts = manifest.counts()
    classes = manifest.classes if len(manifest.classes) <= MOST_CLASSES else []
    rows = [[escaped(name), *(f"{counts[split][name]:,}" for split in SPLITS)] for name in classes]
    total = ["all classes", *(f"{counts[split].total():,}" for split in SPLITS)]
    yield from _table(["images", *SPLITS], [*rows, total])
    if contract.training.get("fraction", 1) != 1:
        yield from ("", f"The model was trained on {contract.training['fraction']:.0%} of the train images.")


def _manifest(dataset: Mapping[str, Any]) -> Manifest | None:
    try:
        return open_dataset(Path(dataset["path"]), dataset.get("fold"))
    except ConvscopeError:
        return None


def _metrics(contract: Contract, results: Mapping[str, Any], shown: str) -> Iterator[str]:
    def row(split: str) -> list[str]:
        scores = results[split]
        low, high = scores["accuracy_95"]
        return [
            split,
            f"{scores['images']:,}",
            f"{scores['accuracy']:.1%} ({low:.1%} to {high:.1%})",
            f"{scores['loss']:.4f}",
            f"{scores['macro_f1']:.3f}",
        ]

    yield from _table(["split", "images", "accuracy (95 %)", "loss", "macro F1"], map(row, results))
    yield ""
    yield "The brackets contain the 95 % bootstrap interval over the images of the split."
    if "validation" in results:
        yield "The validation split chose the epoch, so its scores are optimistic."
    if len(contract.class_names) > MOST_CLASSES:
        return
    yield ""
    classes = results[shown]["classes"]
    yield from _table(
        [f"class ({shown})", "images", "precision", "recall", "F1"],
        (
            [
                escaped(name),
                f"{classes[name]['support']:,}",
                *(_score(classes[name][score]) for score in ("precision", "recall", "f1")),
            ]
            for name in contract.class_names
        ),
    )


def _score(value: float | None) -> str:
    """Return a score for a table; None is that of a class without images."""
    return "–" if value is None else f"{value:.3f}"


def _calibration(scores: Mapping[str, Any], shown: str) -> Iterator[str]:
    after = scores.get("calibrated")
    if not after:
        yield "The probabilities are not calibrated."
        return
    sets = after["sets"]
    yield f"- Temperature: {after['temperature']:.3f}, fitted on validation"
    yield (
        f"- Expected calibration error on {shown}: {scores['calibration_error']:.3f} without and "
        f"{after['calibration_error']:.3f} with the temperature"
    )
    yield (
        f"- Sets of classes that should contain the true class for {COVERAGE:.0%} of the images: on {shown}, "
        f"{sets['coverage']:.1%} contain it; they have {sets['mean_size']:.2f} classes on average"
    )
    if shown == "validation":
        yield "- Both were fitted on these images, so they are too optimistic for new photographs."
    else:
        yield "- Both hold for photographs like those of the data set, and for no others."


def _confusions(last: Evaluation, names: Sequence[str], shown: str) -> Iterator[str]:
    """Yield the most frequent pairs of true and predicted class."""
    wrong = last.confusion.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        yield f"None: the classes of all {len(last.labels):,} images of {shown} are predicted correctly."
        return
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(int(index), len(names)) for index in order if wrong.flat[index]]
    support = last.confusion.sum(axis=1)
    number = int(np.count_nonzero(wrong))
    if number > len(pairs):
        yield from (f"The {len(pairs)} most frequent of {number} pairs of classes:", "")
    yield from _table(
        [f"true class ({shown})", "predicted class", "images"],
        (
            [
                escaped(names[truth]),
                escaped(names[predicted]),
                f"{wrong[truth, predicted]:,} of {support[truth]:,}",
            ]
            for truth, predicted in pairs
        ),
    )


def _training(contract: Contract, command: str) -> Iterator[str]:
    more = "" if "soup" in contract.training else "; `config.yaml` has all, also those of the augmentation"
    yield f"- Settings: {escaped(settings(contract))}{more}"
    yield f"- Versions: {escaped(', '.join(f'{name} {value}' for name, value in versions().items()))}"
    longest = max(map(len, re.findall("`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    language = "sh" if invocation.get().program else "python"
    yield from ("", f"{fence}{language}", printable(command), fence)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
