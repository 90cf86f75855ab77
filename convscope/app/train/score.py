"""A model that was kept, put to the test: on the splits of a data set, or on photographs without labels."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from convscope import decode
from convscope.app.train import run_directory
from convscope.app.train import training_report as run_report
from convscope.app.train.suspicious_labels import Suspicion
from convscope.config.schema.prepare import DatasetConfig
from convscope.config.schema.train import TrainConfig
from convscope.data import image_paths as photographs
from convscope.data.manifest import Manifest, open_dataset
from convscope.data.pipeline import Batches, encode_photographs, labelled_images
from convscope.errors import ConvscopeError
from convscope.files import write_json, write_text
from convscope.graph import probabilities_of
from convscope.models.bundle import ModelBundle
from convscope.models.opening import open_checkpoint
from convscope.names import printable
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render import figure
from convscope.training.evaluate import evaluate

BATCH = 32  # photographs that are in memory at once
PREDICTIONS = "predictions.csv"


def open_data(config: DatasetConfig) -> tuple[Path, Manifest]:
    """The folder and the manifest of the data set; raises ConvscopeError if there is none to learn from."""
    assert config.name is not None
    root = Path(config.root).expanduser() / config.name
    manifest = open_dataset(root, config.fold)
    if len(manifest.classes) < 2:
        raise ConvscopeError(f"the data set at {root} has one class only, expected two or more")
    return root, manifest


def score(
    directory: Path,
    bundle: ModelBundle,
    batches: Mapping[str, Batches],
    *,
    suspicions: Sequence[Suspicion] = (),
) -> None:
    """Evaluate the model on each split in one pass; the charts and the galleries are of the last.

    Written are metrics.json, predictions.csv, charts and report.html.
    """
    contract = bundle.contract
    names = contract.class_names
    scored = {split: evaluate(bundle.model, each) for split, each in batches.items()}
    for split, each in scored.items():
        low, high = each.accuracy_interval
        print(
            f"{split:>10}: loss {each.loss:.4f}, accuracy {each.accuracy:.3f} (95 %: {low:.3f} to {high:.3f})"
        )
    shown = list(scored)[-1]
    last = scored[shown]
    title = f"{contract.dataset['name']}, {shown} split: accuracy {last.accuracy:.1%}"
    figure.confusion_matrix(directory / "confusion_matrix.png", last.confusion, names, title)
    figure.reliability(directory / "reliability.png", *last.reliability(), error=last.calibration_error)
    figure.class_curves(directory / "class_curves.png", last.labels, last.probabilities, names)
    paths = {split: batches[split].examples.paths for split in scored}
    run_report.write_predictions(directory / PREDICTIONS, scored, paths, names)
    results = {split: each.summary(names) for split, each in scored.items()}
    run_report.write(
        directory,
        contract,
        results,
        last,
        paths[shown],
        suspicions=suspicions,
        command=run_directory.command(directory, again=True),
    )
    write_json(directory / run_directory.METRICS_FILE, results)
    print(f"written: {directory} ({run_report.FILE}, {run_directory.METRICS_FILE}, {PREDICTIONS}, …)")


def evaluate_run(config: TrainConfig, directory: Path) -> None:
    """Score the model of another run on the splits that `config.splits` names, of any data set.

    Raises:
        ConvscopeError: the data set has classes that the model does not know.
    """
    assert config.evaluate is not None
    bundle = open_checkpoint(Path(config.evaluate).expanduser())
    root, manifest = open_data(config.dataset)
    known = bundle.contract.class_names
    strange = [name for name in manifest.classes if name not in known]
    if strange:
        raise ConvscopeError(
            f"the data set at {root} has classes that the model does not know ({', '.join(strange)}): "
            f"expected some of {', '.join(known)}; say dataset=… and dataset.name=…"
        )
    _refuse_to_overwrite(config, directory, run_directory.METRICS_FILE)
    named = replace(manifest, classes=known)
    batches = {
        split.value: Batches(
            labelled_images(root, named, split.value),
            size=bundle.contract.input_size,
            preprocessing=bundle.contract.preprocessing,
            batch_size=config.training.batch_size,
            binary=bundle.model.output_shape[-1] == 1,
        )
        for split in config.splits
    }
    about = {"name": manifest.name, "path": str(root.resolve())}
    score(directory, replace(bundle, contract=replace(bundle.contract, dataset=about)), batches)


def predict_run(config: TrainConfig, directory: Path) -> None:
    """Write `predictions.csv` for `config.images`: path, class, the probability of each, and what failed.

    A file that cannot be read has a line of its own with the reason.
    """
    assert config.predict is not None
    bundle = open_checkpoint(Path(config.predict).expanduser())
    if not config.images:
        raise ConvscopeError("predict=RUN needs photographs: add images=DIR, a file, a glob or @LIST.txt")
    paths = photographs.find(config.images)
    _refuse_to_overwrite(config, directory, PREDICTIONS)
    names = bundle.contract.class_names
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "predicted", *names, "error"])
    failed = 0
    for start in progress(range(0, len(paths), BATCH), desc="predicting", unit="batch", leave=False):
        block = paths[start : start + BATCH]
        read = list(in_threads(_read, block))
        pixels = [each for each in read if not isinstance(each, str)]
        rows = iter(_probabilities(bundle, pixels))
        for path, each in zip(block, read, strict=True):
            if isinstance(each, str):
                failed += 1
                writer.writerow([printable(str(path)), "", *[""] * len(names), each])
            else:
                row = next(rows)
                writer.writerow(
                    [printable(str(path)), names[int(row.argmax())], *[f"{value:.6f}" for value in row], ""]
                )
    write_text(directory / PREDICTIONS, text.getvalue())
    unread = f"; {failed} could not be read, its column error says why" if failed else ""
    print(f"written: {directory / PREDICTIONS} ({len(paths)} photographs{unread})")


def _probabilities(bundle: ModelBundle, pixels: Sequence[np.ndarray]) -> np.ndarray:
    contract = bundle.contract
    if not pixels:
        return np.empty((0, len(contract.class_names)))
    return probabilities_of(
        bundle.model, encode_photographs(pixels, contract.input_size, contract.preprocessing)
    )


def _read(path: Path) -> np.ndarray | str:
    try:
        return decode.load(path)
    except ConvscopeError as error:
        return str(error)


def _refuse_to_overwrite(config: TrainConfig, directory: Path, name: str) -> None:
    if (directory / name).exists() and not config.overwrite:
        raise ConvscopeError(
            f"{directory / name} is there already: say overwrite=true, or choose another hydra.run.dir"
        )
