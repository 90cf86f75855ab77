"""Stage 2: data and model into a bundle, with its curves and metrics."""

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import keras

from convscope.app.train import run_directory
from convscope.app.train.announce import announce, draw_batch, warn_of_memory
from convscope.app.train.build_model import BuiltModel, build
from convscope.app.train.finetune import Features, compute_features, train_head
from convscope.app.train.score import evaluate_run, open_data, predict_run, score
from convscope.app.train.suspicious_labels import find_suspicions
from convscope.config.schema.train import AugmentationConfig, Callbacks, Logger, TrainConfig, TrainingConfig
from convscope.data.augment import Augment, fast_augmentation
from convscope.data.augment_keras import keras_augmentation
from convscope.data.dataset_statistics import channel_moments
from convscope.data.manifest import Manifest, manifest_hash
from convscope.data.pipeline import Batches, Randomness, labelled_images
from convscope.errors import ConvscopeError
from convscope.files import write_text
from convscope.models.bundle import (
    CONTRACT_FILE,
    Contract,
    read_contract,
    save_model,
)
from convscope.models.opening import open_checkpoint
from convscope.models.snapshots import save_snapshot
from convscope.preprocessing import Preprocessing
from convscope.progress import progress
from convscope.render import figure
from convscope.training import precision, state
from convscope.training.callbacks import KeepBest, Snapshots
from convscope.training.determinism import deterministic_ops
from convscope.training.loop import fit
from convscope.training.recipe import Recipe
from convscope.training.settings import OptimizationSettings


@dataclass(frozen=True)
class _Parts:
    """What a run is made of, before its first step."""

    config: TrainConfig
    directory: Path
    root: Path
    manifest: Manifest
    built: BuiltModel
    batches: dict[str, Batches]
    recipe: Recipe


def run(config: TrainConfig, directory: Path) -> None:
    """Train, or with `config.evaluate` or `config.predict` use a trained model.

    Afterwards Keras' global state and TensorFlow's determinism are reset: the next job of a sweep runs in the
    same process.
    """
    stage = predict_run if config.predict else evaluate_run if config.evaluate else train
    try:
        with deterministic_ops(config.training.deterministic):
            stage(config, directory)
    finally:
        keras.utils.clear_session()


def train(config: TrainConfig, directory: Path) -> None:
    """Train on the data set's train split and write the bundle into `directory`.

    Written are model.keras (the epoch with the lowest validation loss), model.json, config.yaml,
    history.csv, augmented_batch.png, metrics.json, predictions.csv, charts, and a report that holds them;
    of a first phase also head/history.csv and label_errors.csv; with callbacks=[snapshots] also
    snapshots/epoch_NNN.weights.npz. A run that was stopped goes on if it is
    started again in its directory, or with `config.resume`.

    Raises:
        ConvscopeError: no such data set, weights that do not fit, or another run is in `directory`.
        KeyboardInterrupt: Ctrl-C; its text has the command that goes on.
    """
    root, manifest = open_data(config.dataset)
    directory = run_directory.choose(config, directory)
    keras.utils.set_random_seed(config.seed)
    built = build(config.model, len(manifest.classes))
    built = replace(built, preprocessing=_normalised(config.augmentation, root, manifest, built))
    batches = _batches(config, root, manifest, built)
    run = _Parts(config, directory, root, manifest, built, batches, _recipe(config.training, manifest))
    stopped = None if config.overwrite else _stopped_contract(directory)
    chosen = _precision(config.training, run.recipe, built.model, batches["train"], stopped)
    contract = _contract(config, root, manifest, built, chosen)
    if stopped:
        _check_data_is_the_same(directory, contract, stopped)
    directory.mkdir(parents=True, exist_ok=True)
    if not stopped:
        run_directory.clear(directory)
    write_text(directory / run_directory.CONFIG_FILE, run_directory.settings(config))
    contract.write(directory)
    if config.training.epochs:
        draw_batch(directory / "augmented_batch.png", batches["train"])
    announce(built.model, contract, batches, directory)
    if config.training.epochs:
        warn_of_memory(built.model, config.training.batch_size, half=chosen != precision.FLOAT32)
    try:
        features = _fit(run, chosen, going_on=stopped is not None)
        suspicions = find_suspicions(features, directory) if features else []
        held_out = {split: batches[split] for split in ("validation", "test")}
        score(directory, open_checkpoint(directory), held_out, suspicions=suspicions)
    except KeyboardInterrupt as stop:
        said = str(stop) or "interrupted: what was computed until then is kept"
        raise KeyboardInterrupt(f"{said}\nto go on: {run_directory.command(directory)}") from None
    (directory / state.FILE).unlink(missing_ok=True)


def _fit(run: _Parts, chosen: str, *, going_on: bool) -> Features | None:
    """One phase or two, with their learning curves; returns the features if there are any."""
    config, directory, model = run.config, run.directory, run.built.model
    features, lowest = None, math.inf
    epochs = config.training.epochs
    if config.finetune.head_epochs:
        features = compute_features(run.built, run.batches, run.manifest, run.root)
    if features and not (going_on and epochs):
        lowest = _first_phase(run, features, directory / "head" if epochs else directory)
    if epochs:
        keras.utils.set_random_seed(config.seed)  # whatever came before has drawn
        trained = precision.in_precision(model, chosen)

        def save(improved: keras.Model) -> None:
            if improved is not model:
                model.set_weights(improved.get_weights())
            save_model(model, directory)

        best = KeepBest(save, lowest)
        rows = fit(
            trained,
            run.batches["train"],
            run.batches["validation"],
            recipe=run.recipe,
            directory=directory,
            best=best,
            extra=_extra(config, directory),
        )
        earlier = best.best if best.best < min(row["val_loss"] for row in rows) else math.inf
        figure.learning_curves(directory / "curves.png", rows, earlier=earlier)
    return features


def _first_phase(run: _Parts, features: Features, directory: Path) -> float:
    """The head alone; the model that it makes is saved as the best so far. Returns its validation loss."""
    finetune = run.config.finetune
    print(f"first phase: the head, {finetune.head_epochs} epochs on fixed features, without augmentation")
    keras.utils.set_random_seed(run.config.seed)
    rows, lowest = train_head(
        run.built.model,
        features,
        run.batches,
        recipe=replace(run.recipe, epochs=finetune.head_epochs, learning_rate=finetune.head_learning_rate),
        directory=directory,
    )
    figure.learning_curves(directory / "curves.png", rows)
    save_model(run.built.model, run.directory)
    return lowest


def _batches(config: TrainConfig, root: Path, manifest: Manifest, built: BuiltModel) -> dict[str, Batches]:
    result = {}
    augment = _augmentation(config.augmentation)
    randomness = Randomness(config.seed, augment, config.training.mixup)
    for split in ("train", "validation", "test"):
        result[split] = Batches(
            labelled_images(root, manifest, split),
            size=built.input_size,
            preprocessing=built.preprocessing,
            batch_size=config.training.batch_size,
            binary=config.model.output == "sigmoid",
            randomness=randomness if split == "train" else None,
        )
    return result


def _normalised(
    config: AugmentationConfig, root: Path, manifest: Manifest, built: BuiltModel
) -> Preprocessing:
    """The model's preprocessing, and ImageDataGenerator's normalisation after it, for every split alike."""
    chosen = replace(
        built.preprocessing,
        samplewise_center=config.samplewise_center or config.samplewise_std_normalization,
        samplewise_std=config.samplewise_std_normalization,
    )
    if not config.featurewise:
        return chosen
    train = Batches(
        labelled_images(root, manifest, "train"),
        size=built.input_size,
        preprocessing=chosen,
        batch_size=32,
    )
    steps = progress(range(len(train)), desc="statistics", unit="batch", leave=False)
    mean, deviation = channel_moments(train[index][0] for index in steps)
    return chosen.featurewise(mean, deviation if config.featurewise_std_normalization else None)


def _augmentation(config: AugmentationConfig) -> Augment | None:
    engine = {"fast": fast_augmentation, "keras": keras_augmentation}[config.engine.value]
    return engine(config)


def _recipe(config: TrainingConfig, manifest: Manifest) -> Recipe:
    shared = {option.name: getattr(config, option.name) for option in fields(OptimizationSettings)}
    return Recipe(**shared, class_weights=_class_weights(manifest) if config.class_weights else None)


def _class_weights(manifest: Manifest) -> dict[int, float]:
    """Factors that are inverse to the classes' counts in train, 1 on average over the images."""
    counts = Counter(record.label for record in manifest.of_split("train"))
    total = counts.total() / len(counts)
    return {index: total / counts[label] for index, label in enumerate(manifest.classes) if counts[label]}


def _extra(config: TrainConfig, directory: Path) -> list[keras.callbacks.Callback]:
    """The callbacks that are asked for: they write into the run directory, beside what every run writes."""
    extra: list[keras.callbacks.Callback] = []
    if config.logger is Logger.tensorboard:
        events = str(directory / run_directory.TENSORBOARD)
        extra.append(keras.callbacks.TensorBoard(events, write_graph=False))
    if Callbacks.snapshots in config.callbacks:

        def save(model: keras.Model, epoch: int) -> None:
            save_snapshot(model, epoch, directory)

        extra.append(Snapshots(save, config.snapshots.every))
    return extra


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


def _contract(
    config: TrainConfig, root: Path, manifest: Manifest, built: BuiltModel, chosen: str
) -> Contract:
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
