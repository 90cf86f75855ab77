"""Find labels that may be wrong, with the features of the first phase."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope.app.train.finetune import Features
from convscope.data.label_errors import FOLDS, cross_validated, suspects
from convscope.files import csv_text, write_text
from convscope.names import printable

FILE = "label_errors.csv"
MOST_FEATURES = 4096  # with more features (flattened maps), a logistic regression takes hours


@dataclass(frozen=True)
class Suspicion:
    """An image whose label may be wrong: its label, the suggested label, and their probabilities."""

    path: Path
    label: str
    suggested: str
    of_label: float
    of_suggested: float


def find_suspicions(features: Features, directory: Path) -> list[Suspicion]:
    """Check the labels of all splits; write `label_errors.csv`, with the most certain suspicion first.

    The result is empty if a class has fewer than five images, or if the features are not vectors.
    """
    names, labels = features.examples.classes, features.examples.labels
    if features.values.ndim != 2 or features.values.shape[1] > MOST_FEATURES:
        return []
    if np.bincount(labels, minlength=len(names)).min() < FOLDS:
        return []
    print("searching for wrong labels by cross-validation on the features")
    paths = features.examples.paths
    result = [
        Suspicion(
            paths[suspect.index],
            names[labels[suspect.index]],
            names[suspect.suggested],
            suspect.of_label,
            suspect.of_suggested,
        )
        for suspect in suspects(cross_validated(features.values, labels), labels)
    ]
    _write(directory / FILE, result)
    return result


def _write(path: Path, result: Sequence[Suspicion]) -> None:
    columns = ["path", "label", "suggested", "probability_of_label", "probability_of_suggested"]
    rows = [
        [
            printable(str(suspicion.path)),
            suspicion.label,
            suspicion.suggested,
            f"{suspicion.of_label:.6f}",
            f"{suspicion.of_suggested:.6f}",
        ]
        for suspicion in result
    ]
    write_text(path, csv_text(columns, rows))
