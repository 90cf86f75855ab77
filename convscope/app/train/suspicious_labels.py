"""Labels that may be wrong, found on the features of the first phase, as a table and as pictures."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope.app.train.finetune import Features
from convscope.data.label_errors import FOLDS, cross_validated, suspects
from convscope.files import write_text
from convscope.names import printable

FILE = "label_errors.csv"
MOST_FEATURES = 4096  # of pooled maps; a logistic regression on flattened ones would take hours


@dataclass(frozen=True)
class Suspicion:
    """An image whose label may be wrong: its label, what it may be, and how probable both are."""

    path: Path
    label: str
    suggested: str
    of_label: float
    of_suggested: float


def find_suspicions(found: Features, directory: Path) -> list[Suspicion]:
    """Look through all splits and write `label_errors.csv`, the surest first.

    Nothing is done with fewer than five images of a class, or with features that are no vector.
    """
    names, labels = found.examples.classes, found.examples.labels
    if found.values.ndim != 2 or found.values.shape[1] > MOST_FEATURES:
        return []
    if np.bincount(labels, minlength=len(names)).min() < FOLDS:
        return []
    print("looking for labels that may be wrong, by cross-validation on the features")
    paths = found.examples.paths
    result = [
        Suspicion(
            paths[each.index],
            names[labels[each.index]],
            names[each.suggested],
            each.of_label,
            each.of_suggested,
        )
        for each in suspects(cross_validated(found.values, labels), labels)
    ]
    _write(directory / FILE, result)
    return result


def _write(path: Path, result: Sequence[Suspicion]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "suggested", "probability_of_label", "probability_of_suggested"])
    for each in result:
        writer.writerow(
            [
                printable(str(each.path)),
                each.label,
                each.suggested,
                f"{each.of_label:.6f}",
                f"{each.of_suggested:.6f}",
            ]
        )
    write_text(path, text.getvalue())
