"""The report on a training run, and the list of its predictions."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope.app.thumbnails import thumbnails
from convscope.files import write_text
from convscope.models.bundle import Contract, versions
from convscope.render.run_report import RunReport, write_run_report
from convscope.render.thumbnail import Thumbnail, file_address
from convscope.training.evaluate import Evaluation

FILE = "report.html"
SHOWN = 28  # pictures a gallery
CHARTS = {
    "curves.png": "loss and accuracy by epoch",
    "confusion_matrix.png": "confusion, test split",
    "class_curves.png": "each class against the others, test split",
    "reliability.png": "how sure, and how often right, test split",
    "augmented_batch.png": "pictures of the first batch, as the network gets them",
}


def write_predictions(
    path: Path, scored: Mapping[str, Evaluation], paths: Mapping[str, Sequence[Path]], names: Sequence[str]
) -> None:
    """Write a CSV file: split, path, true and predicted class, and the probability of each class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["split", "path", "true", "predicted", *names])
    for split, each in scored.items():
        rows = zip(paths[split], each.labels, each.predicted, each.probabilities, strict=True)
        for file, truth, predicted, probabilities in rows:
            numbers = [f"{value:.6f}" for value in probabilities]
            writer.writerow([split, file, names[truth], names[predicted], *numbers])
    write_text(path, text.getvalue())


def write(
    directory: Path,
    contract: Contract,
    results: Mapping[str, Any],
    test: Evaluation,
    paths: Sequence[Path],
    command: str,
) -> None:
    """Write `report.html` into the run directory; the charts that it holds are there already."""
    names = contract.class_names
    sure = test.probabilities.max(axis=1)
    wrong = np.flatnonzero(test.predicted != test.labels)
    training = ", ".join(f"{name} {value}" for name, value in contract.training.items() if value)
    facts = [
        ("model", contract.name),
        ("input", f"{contract.input_size[0]}×{contract.input_size[1]}, {contract.preprocessing.name}"),
        ("data set", f"{contract.dataset['name']}, manifest {contract.dataset['manifest_sha256']}"),
        ("training", training),
        ("versions", ", ".join(f"{name} {value}" for name, value in versions().items())),
    ]

    def gallery(indices: np.ndarray) -> list[Thumbnail]:
        return thumbnails(
            [
                (
                    paths[index],
                    f"{names[test.predicted[index]]} {sure[index]:.0%}",
                    f"is {names[test.labels[index]]}: {paths[index].name}",
                )
                for index in indices[:SHOWN]
            ]
        )

    write_run_report(
        directory / FILE,
        RunReport(
            title=f"{contract.name}, trained on {contract.dataset['name']}",
            facts=facts,
            scores=results,
            charts=[(title, file_address(directory / name)) for name, title in CHARTS.items()],
            mistakes=gallery(wrong[np.argsort(-sure[wrong], kind="stable")]),
            doubtful=gallery(np.argsort(sure, kind="stable")),
            command=command,
        ),
    )
