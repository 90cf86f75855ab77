"""Write the report of a training run, and the table of its predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope.app.thumbnails import thumbnails
from convscope.app.train import model_card
from convscope.app.train.suspicious_labels import Suspicion
from convscope.files import csv_text, write_text
from convscope.models.bundle import Contract, versions
from convscope.models.calibration import COVERAGE
from convscope.names import printable
from convscope.render.thumbnail import Thumbnail, file_address
from convscope.render.training_page import RunReport, write_run_report
from convscope.training.evaluate import Evaluation
from convscope.training.precision import FLOAT32

FILE = "report.html"
SHOWN = 28  # pictures per gallery
CHARTS = {
    "head/curves.png": "Loss and accuracy by epoch, first phase (only the head, on precomputed features)",
    "curves.png": "Loss and accuracy by epoch",
    "confusion_matrix.png": "Confusion matrix",
    "class_curves.png": "ROC and precision-recall curves of each class against the others",
    "reliability.png": "Reliability: accuracy by confidence",
    "augmented_batch.png": "Pictures of the first training batch, after augmentation",
}


def number(probability: float) -> str:
    """Return a probability for a table."""
    return f"{probability:.6f}"


def calibrated_columns(names: Sequence[str]) -> list[str]:
    """Return the titles of the columns with calibrated probabilities."""
    return [f"{name} (calibrated)" for name in names]


def write_predictions(
    path: Path,
    scored: Mapping[str, Evaluation],
    paths: Mapping[str, Sequence[Path]],
    contract: Contract,
    averaged: Mapping[str, Evaluation],
) -> None:
    """Write a CSV file with split, path, true and predicted class, and the probability of each class.

    If the contract has a calibration, the calibrated probabilities follow, then those of `averaged`, the
    predictions with test-time augmentation.
    """
    names, calibration = contract.class_names, contract.calibration
    columns = ["split", "path", "true", "predicted", *names]
    if calibration:
        columns += calibrated_columns(names)
    if averaged:
        columns += [f"{name} (augmented)" for name in names]
    rows = []
    for split, scores in scored.items():
        parts = [scores.probabilities]
        if calibration:
            parts.append(calibration.apply(scores.probabilities))
        if averaged:
            parts.append(averaged[split].probabilities)
        numbers = np.hstack(parts)
        images = zip(paths[split], scores.labels, scores.predicted, numbers, strict=True)
        for file, truth, predicted, row in images:
            rows.append([split, printable(str(file)), names[truth], names[predicted], *map(number, row)])
    write_text(path, csv_text(columns, rows))


def write(
    directory: Path,
    contract: Contract,
    results: Mapping[str, Any],
    last: Evaluation,
    paths: Sequence[Path],
    *,
    suspicions: Sequence[Suspicion],
    command: str,
    trained: bool,
) -> None:
    """Write `report.html` into the run directory, with the charts that are already in it.

    `last` and `paths` belong to the last split of `results`; the galleries show that split. If this run
    `trained` the model, also write the model card.
    """
    confidence = last.probabilities.max(axis=1)
    wrong = np.flatnonzero(last.predicted != last.labels)
    names = contract.class_names
    charts = [(title, directory / name) for name, title in CHARTS.items()]
    write_run_report(
        directory / FILE,
        RunReport(
            title=f"{contract.name}, {'trained' if trained else 'evaluated'} on {contract.dataset['name']}",
            facts=_facts(contract),
            scores=results,
            shown=list(results)[-1],
            charts=[(title, file_address(file)) for title, file in charts if file.is_file()],
            curves_precision=_curves_precision(directory, contract),
            suspicions=_doubted(suspicions[:SHOWN]),
            suspicion_count=len(suspicions),
            mistakes=_gallery(last, paths, wrong[np.argsort(-confidence[wrong], kind="stable")], names),
            least_certain=_gallery(last, paths, np.argsort(confidence, kind="stable"), names),
            command=command,
            coverage=COVERAGE,
            weights=_weights(contract),
            trained=trained,
        ),
    )
    if trained:
        model_card.write(directory, contract, results, last, command=command)


def _weights(contract: Contract) -> str:
    """Return a description of the weights that the scores belong to."""
    if runs := contract.training.get("soup"):
        return f"the mean weights of {len(runs)} runs"
    kept = str(contract.training.get("kept", ""))
    if kept.startswith("moving average"):
        return f"the {kept}, which has the lowest validation loss"
    return "the epoch with the lowest validation loss"


def _facts(contract: Contract) -> list[tuple[str, str]]:
    """Return the rows of the table of facts: name and value."""
    height, width = contract.input_size
    return [
        ("model", contract.name),
        ("input", f"{height}×{width}, {contract.preprocessing.name}"),
        ("data set", f"{contract.dataset['name']}, {_dataset_version(contract)}"),
        ("training", model_card.settings(contract)),
        ("versions", ", ".join(f"{name} {value}" for name, value in versions().items())),
    ]


def _gallery(
    scores: Evaluation, paths: Sequence[Path], indices: np.ndarray, names: Sequence[str]
) -> list[Thumbnail]:
    """Return the first of the images at `indices`, each with its prediction and its true class."""
    return thumbnails(
        [
            (
                paths[index],
                f"{names[scores.predicted[index]]} {scores.probabilities[index].max():.0%}",
                f"true class {names[scores.labels[index]]}: {printable(paths[index].name)}",
            )
            for index in indices[:SHOWN]
        ]
    )


def _doubted(suspicions: Sequence[Suspicion]) -> list[Thumbnail]:
    """Return the images whose labels are in doubt, each with both classes and their probabilities."""
    return thumbnails(
        [
            (
                image.path,
                f"{image.label}, or {image.suggested}?",
                f"{image.of_label:.1%} against {image.of_suggested:.1%}: {printable(image.path.name)}",
            )
            for image in suspicions
        ]
    )


def _dataset_version(contract: Contract) -> str:
    """Return the hashes of the data set's manifest and split as text, or its path if it has no manifest."""
    manifest, split = (contract.dataset.get(f"{name}_sha256") for name in ("manifest", "split"))
    return f"manifest {manifest}, split {split}" if manifest else f"at {contract.dataset.get('path')}"


def _curves_precision(directory: Path, contract: Contract) -> str | None:
    """Return the precision of the curves, None for float32 or without curves.

    If `epochs` is 0, the first phase is the only one; it trains the head in float32.
    """
    precision = contract.training.get("precision", FLOAT32)
    has_curves = contract.training.get("epochs") and (directory / "curves.png").is_file()
    return str(precision) if has_curves and precision != FLOAT32 else None
