"""Stage 2: data and model into a bundle, with its curves and metrics."""

import json
import math
import shlex
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np

from convscope import config as configuration
from convscope.app import run_report
from convscope.app.models import Built, build
from convscope.config import AugmentationConfig, TrainConfig, TrainingConfig
from convscope.data.augment import Augment, Ranges, fast_augmentation
from convscope.data.augment_keras import keras_augmentation
from convscope.data.manifest import Manifest, manifest_hash, open_dataset
from convscope.data.pipeline import Batches, examples_of
from convscope.errors import ConvscopeError
from convscope.files import write_json, write_text
from convscope.images import resize, save_png
from convscope.models.bundle import (
    CONTRACT_FILE,
    MODEL_FILE,
    Contract,
    open_bundle,
    read_contract,
    save_model,
)
from convscope.render import figure
from convscope.training import precision, state
from convscope.training.evaluate import evaluate
from convscope.training.loop import fit
from convscope.training.recipe import Recipe

CONFIG_FILE, METRICS_FILE = "config.yaml", "metrics.json"


def train(config: TrainConfig, directory: Path) -> None:
    """Train on the data set's train split and write the bundle into `directory`.

    Written are model.keras (the epoch with the lowest validation loss), model.json, config.yaml,
    history.csv, augmented_batch.png, metrics.json, predictions.csv, charts, and a report that holds them. A
    run that was stopped goes on if it is started again in its directory, or with `config.resume`.

    Raises:
        ConvscopeError: no such data set, weights that do not fit, or another run is in `directory`.
        KeyboardInterrupt: Ctrl-C; its text has the command that goes on.
    """
    assert config.dataset.name is not None
    root = Path(config.dataset.root).expanduser() / config.dataset.name
    manifest = open_dataset(root, config.dataset.fold)
    if len(manifest.classes) < 2:
        raise ConvscopeError(f"the data set at {root} has one class only, expected two or more")
    directory = _choose_directory(config, directory)
    if config.training.deterministic:
        _be_deterministic()
    keras.utils.set_random_seed(config.seed)
    built = build(config.model, len(manifest.classes))
    batches = _batches(config, root, manifest, built)
    recipe = _recipe(config.training)
    stopped = None if config.overwrite else _stopped_contract(directory)
    chosen = _precision(config.training, recipe, built.model, batches["train"], stopped)
    contract = _contract(config, root, manifest, built, chosen)
    if stopped:
        _check_data_is_the_same(directory, contract, stopped)
    directory.mkdir(parents=True, exist_ok=True)
    if not stopped:
        for name in (MODEL_FILE, METRICS_FILE, state.FILE):
            (directory / name).unlink(missing_ok=True)
    write_text(directory / CONFIG_FILE, _settings(config))
    contract.write(directory)
    _draw_batch(directory / "augmented_batch.png", batches["train"])
    _announce(built.model, contract, batches)
    keras.utils.set_random_seed(config.seed)  # whatever trying precisions has drawn
    trained = precision.in_precision(built.model, chosen)

    def save(best: keras.Model) -> None:
        if best is not built.model:
            built.model.set_weights(best.get_weights())
        save_model(built.model, directory)

    try:
        history = fit(
            trained,
            batches["train"],
            batches["validation"],
            recipe=recipe,
            directory=directory,
            save=save,
            class_weights=_class_weights(manifest) if config.training.class_weights else None,
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"{stop}\nto go on: {_command(directory)}") from None
    figure.learning_curves(directory / "curves.png", history)
    _evaluate(directory, batches, contract)
    (directory / state.FILE).unlink(missing_ok=True)


def _settings(config: TrainConfig) -> str:
    """The configuration as `config.yaml`, without what only says how the run is started."""
    return configuration.to_yaml(replace(config, resume=False, overwrite=False, debug=False))


def _choose_directory(config: TrainConfig, directory: Path) -> Path:
    """Where to train: `directory`, or with `config.resume` that of the last run which was stopped.

    Raises:
        ConvscopeError: a run is there that is not this one, or there is none to go on with.
    """
    settings = _settings(config)
    if config.resume and not _is_stopped(directory, settings):
        runs = [path.parent for path in directory.parent.glob(f"*/{CONFIG_FILE}")]
        stopped = [run for run in runs if _is_stopped(run, settings)]
        if not stopped:
            raise ConvscopeError(
                f"resume=true, and no run with these settings was stopped under {directory.parent}: say "
                "hydra.run.dir=RUN, or begin without resume"
            )
        return max(stopped, key=lambda run: (run / CONFIG_FILE).stat().st_mtime)
    if (directory / METRICS_FILE).exists() and not config.overwrite:
        raise ConvscopeError(
            f"{directory} holds a trained model: say overwrite=true to train anew into it, or choose "
            "another hydra.run.dir"
        )
    begun = any((directory / name).exists() for name in (MODEL_FILE, state.FILE))
    if begun and not config.overwrite and not _is_stopped(directory, settings):
        raise ConvscopeError(
            f"{directory} holds a run with other settings that was stopped: give its settings to go on, say "
            "overwrite=true to train anew into it, or choose another hydra.run.dir"
        )
    return directory


def _is_stopped(directory: Path, settings: str) -> bool:
    """Whether a run with these settings was begun there and did not come to its end."""
    path = directory / CONFIG_FILE
    return path.is_file() and path.read_text("utf-8") == settings and not (directory / METRICS_FILE).exists()


def _command(directory: Path, *, again: bool = False) -> str:
    """What was typed, to go on in `directory` or to do it again."""
    given = [
        each for each in sys.argv[1:] if not each.startswith(("hydra.run.dir=", "overwrite=", "resume="))
    ]
    on = [] if again else [f"hydra.run.dir={directory}", "resume=true"]
    return "python " + shlex.join([sys.argv[0], *given, *on])


def _be_deterministic() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def _batches(config: TrainConfig, root: Path, manifest: Manifest, built: Built) -> dict[str, Batches]:
    result = {}
    for split in ("train", "validation", "test"):
        training = split == "train"
        result[split] = Batches(
            examples_of(root, manifest, split),
            size=built.input_size,
            preprocessing=built.preprocessing,
            batch_size=config.training.batch_size,
            augment=_augmentation(config.augmentation) if training else None,
            shuffle_seed=config.seed if training else None,
            mixup=config.training.mixup if training else 0.0,
            binary=config.model.output == "sigmoid",
        )
    return result


def _augmentation(config: AugmentationConfig) -> Augment | None:
    engine = {"fast": fast_augmentation, "keras": keras_augmentation}[config.engine.value]
    return engine(Ranges.of(asdict(config)))


def _recipe(config: TrainingConfig) -> Recipe:
    given = asdict(config)
    return Recipe(**{name: given[name] for name in asdict(Recipe())})


def _class_weights(manifest: Manifest) -> dict[int, float]:
    """Factors that are inverse to the classes' counts in train, 1 on average over the images."""
    counts = Counter(record.label for record in manifest.of_split("train"))
    total = counts.total() / len(counts)
    return {index: total / counts[label] for index, label in enumerate(manifest.classes) if counts[label]}


def _precision(
    config: TrainingConfig, recipe: Recipe, model: keras.Model, train: Batches, stopped: Contract | None
) -> str:
    """The precision that is asked for, that the stopped run had, or that is found to be fastest."""
    if config.precision != "auto":
        return config.precision.value
    if stopped:
        return str(stopped.training.get("precision", precision.FLOAT32))
    if config.deterministic or recipe.epochs * len(train) < precision.FEWEST_STEPS:
        return precision.FLOAT32
    if len(precision.known_to_hardware()) == 1:
        return precision.FLOAT32
    chosen, seconds = precision.fastest(model, train[0], lambda trial: recipe.compile(trial, len(train)))
    tried = ", ".join(f"{name} {1000 * each:.0f} ms" for name, each in seconds.items())
    print(f"precision: {chosen} (a step takes {tried})")
    return chosen


def _contract(config: TrainConfig, root: Path, manifest: Manifest, built: Built, chosen: str) -> Contract:
    fold = config.dataset.fold
    return Contract(
        name=built.model.name,
        class_names=manifest.classes,
        input_size=built.input_size,
        preprocessing=built.preprocessing,
        dataset={
            "name": manifest.name,
            "path": str(root.resolve()),
            "manifest_sha256": manifest_hash(root, fold),
            **({} if fold is None else {"fold": fold}),
        },
        training={"seed": config.seed, **asdict(config.training), "precision": chosen},
    )


def _stopped_contract(directory: Path) -> Contract | None:
    """The contract of a run that was stopped after an epoch or more, else None."""
    return read_contract(directory / CONTRACT_FILE) if (directory / state.FILE).exists() else None


def _check_data_is_the_same(directory: Path, contract: Contract, stopped: Contract) -> None:
    """Refuse to go on with other data than the run began with."""
    if json.loads(json.dumps(contract.dataset)) != stopped.dataset:
        raise ConvscopeError(
            f"the data set {contract.dataset['name']} has changed since the run in {directory} was stopped: "
            "say overwrite=true to train anew into it, or choose another hydra.run.dir"
        )


def _draw_batch(path: Path, train: Batches) -> None:
    """Sixteen pictures of the first batch as the network gets them, preprocessing undone."""
    pictures = train.preprocessing.decode(train[0][0][:16])
    tiles = [resize(np.clip(np.rint(each), 0, 255).astype(np.uint8), 160, 160) for each in pictures]
    columns = math.ceil(math.sqrt(len(tiles)))
    sheet = np.full((math.ceil(len(tiles) / columns) * 164 + 4, columns * 164 + 4, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet[row * 164 + 4 : row * 164 + 164, column * 164 + 4 : column * 164 + 164] = tile
    save_png(path, sheet)


def _announce(model: keras.Model, contract: Contract, batches: dict[str, Batches]) -> None:
    counts = ", ".join(f"{len(each.examples.paths)} {split}" for split, each in batches.items())
    print(
        f"{contract.name}: {model.count_params():,} parameters, input {contract.input_size[0]}×"
        f"{contract.input_size[1]}, preprocessing {contract.preprocessing.name}; "
        f"{contract.dataset['name']}: {counts} images of {len(contract.class_names)} classes"
    )


def _evaluate(directory: Path, batches: dict[str, Batches], contract: Contract) -> None:
    """Score the model that was kept, as it is on disk, on validation and test; the charts are of test."""
    model = open_bundle(directory).model
    names = contract.class_names
    scored = {split: evaluate(model, batches[split]) for split in ("validation", "test")}
    for split, each in scored.items():
        low, high = each.accuracy_interval
        print(
            f"{split:>10}: loss {each.loss:.4f}, accuracy {each.accuracy:.3f} (95 %: {low:.3f} to {high:.3f})"
        )
    test = scored["test"]
    title = f"{contract.dataset['name']}, test split: accuracy {test.accuracy:.1%}"
    figure.confusion_matrix(directory / "confusion_matrix.png", test.confusion, names, title)
    figure.reliability(directory / "reliability.png", *test.reliability(), error=test.calibration_error)
    figure.class_curves(directory / "class_curves.png", test.labels, test.probabilities, names)
    paths = {split: batches[split].examples.paths for split in scored}
    run_report.write_predictions(directory / "predictions.csv", scored, paths, names)
    results = {split: each.summary(names) for split, each in scored.items()}
    run_report.write(directory, contract, results, test, paths["test"], _command(directory, again=True))
    write_json(directory / METRICS_FILE, results)
    print(f"written: {directory} ({MODEL_FILE}, {CONTRACT_FILE}, {run_report.FILE}, predictions.csv, …)")
