"""Evaluate a trained model on the splits of a data set, or predict photographs without labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras

from convscope.app.train import run_directory, training_report
from convscope.app.train.augmented_scores import augmented_scores, known_calibration, variant_model
from convscope.app.train.calibrate import (
    add_calibrated,
    calibrated,
    calibration_line,
    with_calibration,
)
from convscope.app.train.suspicious_labels import Suspicion
from convscope.config.schema.prepare import DatasetConfig
from convscope.config.schema.train import TrainConfig
from convscope.data.changes import report_changes
from convscope.data.manifest import SPLITS, Manifest, open_dataset
from convscope.data.pipeline import Batches, labelled_images
from convscope.errors import ConvscopeError
from convscope.files import user_path, write_json
from convscope.models.bundle import Contract, ModelBundle
from convscope.models.opening import open_checkpoint
from convscope.render import training_charts
from convscope.training.evaluate import Evaluation, evaluate
from convscope.training.test_time import VariantModel

BATCH = 32  # photographs that are in memory at the same time
PREDICTIONS = "predictions.csv"


def open_data(config: DatasetConfig) -> tuple[Path, Manifest]:
    """Return folder and manifest of the data set; print a note if its images have changed.

    Raises:
        ConvscopeError: it does not exist, or has fewer than two classes.
    """
    assert config.name is not None
    root = user_path(config.root) / config.name
    manifest = open_dataset(root, config.fold)
    if len(manifest.classes) < 2:
        raise ConvscopeError(
            f"the data set at {root} has {len(manifest.classes)} class(es): expected at least 2"
        )
    report_changes(root, manifest)
    return root, manifest


def splits_with_images(root: Path, manifest: Manifest, splits: Sequence[str]) -> list[str]:
    """Return the splits to evaluate: those that have images; print a note about the others.

    Raises:
        ConvscopeError: none has images.
    """
    counts = manifest.counts()
    filled = [split for split in splits if counts[split]]
    empty = " and no ".join(split for split in splits if not counts[split])
    if not filled:
        known = ",".join(split for split in SPLITS if counts[split])
        raise ConvscopeError(f"the data set at {root} has no {empty} images: set splits=[{known}]")
    if empty:
        print(f"note: the data set at {root} has no {empty} images; only {', '.join(filled)} is evaluated")
    return filled


def score(
    directory: Path,
    bundle: ModelBundle,
    batches: Mapping[str, Batches],
    *,
    averaged: VariantModel,
    suspicions: Sequence[Suspicion] = (),
    trained: bool = False,
) -> None:
    """Evaluate the model on each split; write metrics.json, predictions.csv, charts and report.html.

    Charts and galleries show the last split of `batches`. If `averaged` has several variants of each
    photograph, add the scores with test-time augmentation. If this run `trained` the model, fit the
    calibrations on validation, add them to model.json, and write the model card.
    """
    contract = bundle.contract
    names = contract.class_names
    scored = {split: _evaluated(split, bundle.model, data) for split, data in batches.items()}
    augmented = augmented_scores(bundle.model, averaged, batches) if averaged.variants.count > 1 else None
    if trained:
        contract = with_calibration(contract, scored["validation"])
        if augmented:
            augmented = augmented.fitted()
            contract = replace(contract, variant_calibration=augmented.calibration)
        contract.write(directory)
    elif augmented:
        known = contract.calibration_of(averaged.variants.names)
        augmented = replace(augmented, calibration=known)
    results = {split: scores.summary(names) for split, scores in scored.items()}
    shown = list(scored)[-1]
    last = scored[shown]
    note_constant_answer(last, names)
    if contract.calibration:
        add_calibrated(results, scored, contract.calibration, names)
        print(calibration_line(shown, results[shown], fitted=trained and shown == "validation"))
    if augmented:
        for split in results:
            results[split]["augmented"] = augmented.summary(split, scored[split])
        print(augmented.line(shown, results[shown]["augmented"]))
    _draw(directory, contract, shown, last)
    paths = {split: batches[split].examples.paths for split in scored}
    averages = augmented.scored if augmented else {}
    training_report.write_predictions(directory / PREDICTIONS, scored, paths, contract, averages)
    training_report.write(
        directory,
        contract,
        results,
        last,
        paths[shown],
        suspicions=suspicions,
        command=run_directory.command(directory, again=True),
        trained=trained,
    )
    write_json(directory / run_directory.METRICS_FILE, results)
    print(f"written: {directory} ({training_report.FILE}, {run_directory.METRICS_FILE}, {PREDICTIONS}, …)")


def _evaluated(split: str, model: keras.Model, batches: Batches) -> Evaluation:
    """Evaluate the model on a split, and print loss and accuracy."""
    scores = evaluate(model, batches)
    low, high = scores.accuracy_interval
    print(
        f"{split:>10}: loss {scores.loss:.4f}, accuracy {scores.accuracy:.3f} (95 %: {low:.3f} to {high:.3f})"
    )
    return scores


def note_constant_answer(scores: Evaluation, names: Sequence[str]) -> None:
    """Print a note if the accuracy may be no better than one constant answer."""
    answer, share = scores.constant_answer
    if scores.accuracy_interval[0] <= share:
        print(
            f"note: this may be no better than the constant answer {names[answer]!r}, which is correct for "
            f"{share:.1%}; with few photographs, fine-tune a pretrained network, for example "
            "with finetune=two_phase model=mobilenet_v2 training.epochs=0"
        )


def _draw(directory: Path, contract: Contract, split: str, scores: Evaluation) -> None:
    """Draw the confusion matrix, the reliability diagram and the curves of each class."""
    names = contract.class_names
    title = f"{contract.dataset['name']}, {split} split: accuracy {scores.accuracy:.1%}"
    training_charts.confusion_matrix(directory / "confusion_matrix.png", scores.confusion, names, title)
    after = calibrated(scores, contract.calibration).reliability() if contract.calibration else None
    training_charts.reliability(directory / "reliability.png", scores.reliability(), after)
    training_charts.class_curves(directory / "class_curves.png", scores.labels, scores.probabilities, names)


def evaluate_run(config: TrainConfig, directory: Path) -> None:
    """Evaluate the model of another run on `config.splits` of a data set.

    Raises:
        ConvscopeError: the model does not have all classes of the data set, or `directory` has results.
        KeyboardInterrupt: after Ctrl-C; its text says what is in the directory.
    """
    bundle = open_checkpoint(user_path(config.evaluate[0]))
    averaged = variant_model(config, bundle.model, bundle.contract.input_size)
    root, manifest = open_data(config.dataset)
    known = bundle.contract.class_names
    missing = [name for name in manifest.classes if name not in known]
    if missing:
        raise ConvscopeError(
            f"the data set at {root} has classes that the model does not have ({', '.join(missing)}): "
            f"expected some of {', '.join(known)}; choose another data set with dataset.name=NAME"
        )
    run_directory.check_results(config, directory, run_directory.METRICS_FILE)
    relabelled = replace(manifest, classes=known)
    splits = splits_with_images(root, manifest, config.splits)
    batches = evaluation_batches(bundle.model, bundle.contract, root, relabelled, splits)
    contract = bundle.contract
    if averaged.variants.count > 1:
        contract = replace(contract, variant_calibration=known_calibration(bundle, averaged))
    contract = replace(contract, dataset={"name": manifest.name, "path": str(root.resolve())})
    try:
        score(directory, replace(bundle, contract=contract), batches, averaged=averaged)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted: the results in {directory} are not complete; run the command again"
        ) from None


def evaluation_batches(
    model: keras.Model, contract: Contract, root: Path, manifest: Manifest, splits: Sequence[str]
) -> dict[str, Batches]:
    """Return the unchanged photographs of each split as the input of a model."""
    return {
        split: Batches(
            labelled_images(root, manifest, split),
            size=contract.input_size,
            preprocessing=contract.preprocessing,
            batch_size=BATCH,
            binary=model.output_shape[-1] == 1,
        )
        for split in splits
    }
