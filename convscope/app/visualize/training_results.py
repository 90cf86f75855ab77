"""The results of the training that a model comes from, as the page of stage 3 shows them.

Everything is read from the run directory beside the checkpoint. What is missing there is left out.
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from convscope.files import read_json
from convscope.models.checkpoint_files import MODEL_FILE

METRICS, HISTORY, PREDICTIONS, CONTRACT, CONFIG = (
    "metrics.json", "history.csv", "predictions.csv", "model.json", "config.yaml",
)  # fmt: skip
RESULTS = "results.csv"  # of a sweep, in the folder above its runs
LOSS = "validation_loss"  # its column
MOST_RUNS = 200  # of a sweep
_DEEPEST = 10  # levels of settings
_FIRST = ["split", "path", "true", "predicted"]  # columns of the predictions; then one for each class
_PREFERRED = ("test", "validation")


@dataclass(frozen=True)
class Prediction:
    """A row of `predictions.csv`; `probability` is that of the predicted class."""

    path: str
    true: str
    predicted: str
    probability: float


def training_results(checkpoint: str) -> dict[str, Any]:
    """Return what is known of the training of a checkpoint, as JSON.

    The keys are `metrics`, `history`, `confusion`, `sweep` and `data`; unknown ones are missing.
    """
    directory = run_of(checkpoint)
    if directory is None:
        return {}
    known = {
        "metrics": _metrics(directory),
        "history": _table(directory / HISTORY),
        "confusion": confusion(predictions(directory)),
        "sweep": _sweep(directory.parent / RESULTS),
        "data": _dataset(directory),
    }
    return {key: value for key, value in known.items() if value}


def sweep_of(checkpoints: Sequence[str]) -> dict[str, Any]:
    """Return the results of the sweep of all checkpoints as `sweep`; nothing if they are not of one sweep."""
    folders = {run.parent if run else None for run in map(run_of, checkpoints)}
    folder = folders.pop() if len(folders) == 1 else None
    sweep = _sweep(folder / RESULTS) if folder else {}
    return {"sweep": sweep} if sweep else {}


def run_of(checkpoint: str) -> Path | None:
    """Return the run directory whose results are those of a checkpoint.

    It is None for other files in a run directory, such as quantized weights, for a network of Keras, and for
    a run that was moved.
    """
    file = Path(checkpoint)
    return file.parent if file.name == MODEL_FILE and file.is_file() else None


def predictions(directory: Path) -> dict[str, list[Prediction]]:
    """Return the predictions of a run by split; those of the splits that a reader looks at first come first.

    The result is empty if the run has no predictions of labelled images.
    """
    try:
        with (directory / PREDICTIONS).open(encoding="utf-8", newline="") as file:
            columns, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error):
        return {}
    found: dict[str, list[Prediction]] = {split: [] for split in _PREFERRED}
    if columns[: len(_FIRST)] != _FIRST:
        return {}
    for row in rows:
        try:
            split, path, true, predicted = map(_unquoted, row[: len(_FIRST)])
            # A class may have the name of one of the first columns.
            one = Prediction(path, true, predicted, float(row[columns.index(row[3], len(_FIRST))]))
        except (IndexError, ValueError):
            return {}
        found.setdefault(split, []).append(one)
    return {split: of_split for split, of_split in found.items() if of_split}


def confusion(of_splits: Mapping[str, Sequence[Prediction]]) -> dict[str, Any]:
    """Return the confusion matrix of the first split: its name, and rows (true, predicted, count)."""
    for split, found in of_splits.items():
        counts = Counter((one.true, one.predicted) for one in found)
        return {"split": split, "counts": [[*pair, count] for pair, count in sorted(counts.items())]}
    return {}


def settings_of_run(checkpoint: str) -> dict[str, str]:
    """Return the settings of the run of a checkpoint by their dotted keys, as text.

    An empty list is `null`, as in the runs of versions whose option was no list.
    """
    if not Path(checkpoint).is_file():
        return {}
    try:
        text = (Path(checkpoint).parent / CONFIG).read_text("utf-8")
        # BaseLoader makes texts, lists and mappings, and no other objects.
        settings = yaml.load(text, yaml.BaseLoader) if _is_simple(text) else None  # noqa: S506
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return dict(_flat(settings)) if isinstance(settings, dict) else {}


def _is_simple(text: str) -> bool:
    """Return whether YAML has no aliases and few levels.

    A few aliases of aliases can stand for millions of values, and deep levels take minutes to read.
    """
    depth = 0
    for event in yaml.parse(text):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
            return False
    return True


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif value != "":
            yield f"{prefix}{key}", " ".join(map(str, value)) or "null" if isinstance(value, list) else value


def _unquoted(cell: str) -> str:
    """Return a cell without the apostrophe that protects spreadsheets from formulas."""
    return cell[1:] if re.match(r"'[=+\-@\t\r]", cell) else cell


def _metrics(directory: Path) -> dict[str, Any]:
    """Return accuracy, its interval, loss and the number of images of each split."""
    try:
        content = read_json(directory / METRICS)
        splits = {str(split): dict(scores) for split, scores in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    known: dict[str, Any] = {}
    for split, scores in splits.items():
        numbers = {key: scores.get(key) for key in ("accuracy", "loss", "images")}
        known[split] = {key: value for key, value in numbers.items() if _is_number(value)}
        interval = scores.get("accuracy_95")
        if isinstance(interval, list) and len(interval) == 2 and all(map(_is_number, interval)):
            known[split]["accuracy_95"] = interval
    return known


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _dataset(directory: Path) -> dict[str, Any]:
    """Return name, path and the number of images by split and class of the data set."""
    try:
        dataset = read_json(directory / CONTRACT)["dataset"]
        known = {key: str(dataset[key]) for key in ("name", "path") if dataset.get(key)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    try:
        images = read_json(Path(known["path"]) / "manifest.json")["images"]
        counts = Counter((str(image["class"]), str(image["split"])) for image in images)
    except (OSError, ValueError, KeyError, TypeError):
        return known
    return {**known, "counts": [[*pair, count] for pair, count in sorted(counts.items())]}


def _sweep(path: Path) -> dict[str, Any]:
    """Return the table of the runs with the lowest validation losses, `MOST_RUNS` at most.

    `runs` is the number of all runs, and `complete` that of the runs with a validation loss.
    """
    table = _table(path)
    if not table:
        return {}
    rows = table["rows"]
    if LOSS not in table["columns"]:
        return table | {"rows": rows[:MOST_RUNS], "runs": len(rows)}
    column = table["columns"].index(LOSS)

    def loss(row: Sequence[Any]) -> float:
        value = row[column]
        return value if isinstance(value, float) else math.inf

    complete = sum(loss(row) < math.inf for row in rows)
    return table | {"rows": sorted(rows, key=loss)[:MOST_RUNS], "runs": len(rows), "complete": complete}


def _table(path: Path) -> dict[str, Any]:
    """Return a CSV table as columns and rows; numbers are numbers."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            columns, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error):
        return {}
    complete = [row for row in rows if len(row) == len(columns)]
    return {"columns": columns, "rows": [[_value(cell) for cell in row] for row in complete]}


def _value(cell: str) -> str | float:
    try:
        number = float(cell)
    except ValueError:
        return _unquoted(cell)
    return number if math.isfinite(number) else cell
