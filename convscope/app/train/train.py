"""Train a model on a data set, and write the run directory."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import keras
import numpy as np

from convscope import run_directories
from convscope.app.train import run_directory
from convscope.app.train.announce import (
    announce,
    check_splits,
    draw_batch,
    keep_pixels,
    warn_of_memory,
)
from convscope.app.train.augmented_scores import variant_model
from convscope.app.train.batches import largest_stage, normalized, split_batches, training_stages
from convscope.app.train.build_model import BuiltModel, build
from convscope.app.train.familiarity import write_familiarity
from convscope.app.train.finetune import Features, compute_features, train_head
from convscope.app.train.predict import predict_run
from convscope.app.train.score import (
    evaluate_run,
    open_data,
    score,
)
from convscope.app.train.soup import soup_run
from convscope.app.train.suspicious_labels import find_suspicions
from convscope.config.schema.train import Callbacks, Logger, TrainConfig, TrainingConfig
from convscope.data.manifest import Manifest, manifest_hash
from convscope.data.pipeline import Batches
from convscope.errors import ConvscopeError
from convscope.files import write_text
from convscope.graph import at_size, resized
from convscope.models.bundle import (
    Contract,
    read_contract,
    save_model,
)
from convscope.models.checkpoint_files import CONTRACT_FILE
from convscope.models.opening import open_checkpoint
from convscope.models.snapshots import save_snapshot
from convscope.parallel import interrupts_deferred
from convscope.render import training_charts
from convscope.sweep.epoch_report import epoch_report
from convscope.sweep.record import Pruned
from convscope.training import precision, state
from convscope.training.callbacks import KeepBest, ReportEpochs, Snapshots
from convscope.training.determinism import deterministic_ops
from convscope.training.distribution import Distribution
from convscope.training.loop import fit
from convscope.training.optimization_settings import OptimizationSettings
from convscope.training.recipe import Recipe

FIRST_PHASE = "first phase"  # the weights that are kept if no epoch of the second phase is better


@dataclass(frozen=True)
class _Run:
    """Everything that a training run needs before its first step."""

    config: TrainConfig
    directory: Path
    root: Path
    manifest: Manifest
    built: BuiltModel
    batches: dict[str, Batches]
    stages: Sequence[Batches]  # of the train split, at each of training.input_sizes
    recipe: Recipe
    distribution: Distribution


def run(config: TrainConfig, directory: Path) -> Path:
    """Train a model; with `config.evaluate` or `config.predict`, use a trained one. Return the run directory.

    At the end, the global state of Keras and the determinism of TensorFlow are reset, because the next job of
    a sweep runs in the same process.
    """
    interrupted, policy = False, keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # a notebook may have set another one
    try:
        with deterministic_ops(config.training.deterministic):
            if not (config.predict or config.evaluate):
                return train(config, directory)
            with run_directories.locked(directory):
                if config.predict:
                    predict_run(config, directory)
                else:
                    (soup_run if config.soup else evaluate_run)(config, directory)
                return directory
    except KeyboardInterrupt:  # the process ends; a second Ctrl-C during the reset would replace the message
        interrupted = True
        raise
    finally:
        if not interrupted:
            _reset_keras()
            keras.config.set_dtype_policy(policy)


def _reset_keras() -> None:
    """Reset the global state of Keras; handle Ctrl-C afterwards, because callbacks would ignore it."""
    try:
        with interrupts_deferred():
            keras.utils.clear_session()
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted after the end of the run") from None


def train(config: TrainConfig, directory: Path) -> Path:
    """Train on the train split of the data set, write the run directory, and return it.

    The run directory has model.keras (the epoch with the lowest validation loss), model.json, config.yaml,
    history.csv, augmented_batch.png, metrics.json, predictions.csv, charts, and a report with all of them. A
    first phase adds head/history.csv and label_errors.csv; callbacks=[snapshots] adds
    snapshots/epoch_NNN.weights.npz. An interrupted run is resumed if it is started again in its directory, or
    with `config.resume`.

    Raises:
        ConvscopeError: the data set is missing, weights do not fit, or `directory` has another run.
        KeyboardInterrupt: after Ctrl-C; its text has the command that resumes the run.
    """
    root, manifest = open_data(config.dataset)
    check_splits(root, manifest)
    directory = run_directory.choose(config, directory)
    with run_directories.locked(directory):
        run_directory.check(config, directory)
        _train(config, directory, root, manifest)
    return directory


def _train(config: TrainConfig, directory: Path, root: Path, manifest: Manifest) -> None:
    """Train in a directory that no other process writes to."""
    distribution = _distribution(config.training)
    keras.utils.set_random_seed(config.seed)
    with distribution.scope():
        built = build(config.model, len(manifest.classes))
    variant_model(config, built.model, built.input_size)  # refuses a wrong option before the training
    built = replace(built, preprocessing=normalized(config, root, manifest, built))
    batches = split_batches(config, root, manifest, built)
    recipe = _recipe(config.training, batches["train"])
    stages = training_stages(config.training, built, batches["train"])
    run = _Run(config, directory, root, manifest, built, batches, stages, recipe, distribution)
    interrupted = None if config.overwrite else _interrupted_contract(directory)
    chosen = _precision(run, interrupted)
    contract = _contract(config, root, manifest, built, chosen)
    if interrupted:
        _check_data_is_the_same(directory, contract, interrupted)
    if not interrupted:
        run_directory.clear(directory)
    try:
        with run_directory.without_failure(directory):
            _write_run(run, contract, chosen, resumes=interrupted is not None)
    except Pruned:
        (directory / state.FILE).unlink(missing_ok=True)  # nobody resumes this run
        raise
    (directory / state.FILE).unlink(missing_ok=True)
    run_directories.link_latest(directory)


def _write_run(run: _Run, contract: Contract, chosen: str, *, resumes: bool) -> None:
    """Describe the run, train, and write the report."""
    config, directory, built, batches = run.config, run.directory, run.built, run.batches
    write_text(directory / run_directory.CONFIG_FILE, run_directory.settings(config))
    try:
        _describe(run, contract, chosen)
        with run.distribution.scope():
            features, kept = _fit(run, chosen, resumes=resumes)
        if kept:
            replace(contract, training=contract.training | {"kept": kept}).write(directory)
        suspicions = find_suspicions(features, directory) if features else []
        held_out = {split: data for split, data in batches.items() if split != "train"}
        bundle = open_checkpoint(directory)
        unchanged = features if not config.training.epochs else None
        write_familiarity(directory, bundle.model if unchanged is None else built.model, batches, unchanged)
        averaged = variant_model(config, bundle.model, bundle.contract.input_size)
        score(directory, bundle, held_out, averaged=averaged, suspicions=suspicions, trained=True)
    except KeyboardInterrupt as stop:
        message = str(stop) or "interrupted: the results so far are kept"
        raise KeyboardInterrupt(f"{message}\nto resume: {run_directory.command(directory)}") from None


def _describe(run: _Run, contract: Contract, chosen: str) -> None:
    """Write what is known before the first step, and check the free memory."""
    training, directory, built, batches = run.config.training, run.directory, run.built, run.batches
    contract.write(directory)
    if training.epochs:
        draw_batch(directory / "augmented_batch.png", batches["train"])
    announce(built.model, contract, batches, directory)
    if training.epochs:
        size = largest_stage(run.stages).size
        largest = (
            built.model if size == built.input_size else resized(built.model, size, "training.input_sizes")
        )
        warn_of_memory(largest, training.batch_size, half=chosen != precision.FLOAT32)
        if training.cache == "auto" and training.epochs > 1:
            keep_pixels([*run.stages, batches["validation"]])


def _fit(run: _Run, chosen: str, *, resumes: bool) -> tuple[Features | None, str]:
    """Train in one phase or two and draw the learning curves.

    Returns:
        The features of the first phase, None without one, and the name of the weights that the last phase
        keeps.
    """
    config, directory, model = run.config, run.directory, run.built.model
    features, lowest, kept = None, math.inf, ""
    epochs = config.training.epochs
    if config.finetune.head_epochs:
        features = compute_features(run.built, run.batches, run.manifest, run.root)
    if features and not (resumes and epochs):
        first = _first_phase(run, features, directory / "head" if epochs else directory)
        lowest, kept = first.best, first.kept
    if epochs:
        keras.utils.set_random_seed(config.seed)  # makes the second phase independent of the first
        trained = precision.in_precision(_trainee(run), chosen)

        def save(improved: keras.Model) -> None:
            if improved is not model:
                model.set_weights(improved.get_weights())
            save_model(model, directory)

        best = KeepBest(save, lowest, FIRST_PHASE)
        rows = fit(
            trained,
            run.stages,
            run.batches["validation"],
            recipe=run.recipe,
            directory=directory,
            best=best,
            extra=_extra(config, directory),
        )
        kept = best.kept
        training_charts.learning_curves(directory / "curves.png", rows, keeps_first_phase=kept == FIRST_PHASE)
    return features, kept


def _first_phase(run: _Run, features: Features, directory: Path) -> KeepBest:
    """Train only the head, save the model as the best so far, and return what was kept."""
    finetune = run.config.finetune
    print(f"first phase: {finetune.head_epochs} epochs of the head on fixed features, without augmentation")
    keras.utils.set_random_seed(run.config.seed)
    rows, best = train_head(
        run.built.model,
        features,
        run.batches,
        recipe=replace(run.recipe, epochs=finetune.head_epochs, learning_rate=finetune.head_learning_rate),
        directory=directory,
    )
    training_charts.learning_curves(directory / "curves.png", rows)
    save_model(run.built.model, run.directory)
    return best


def _trainee(run: _Run) -> keras.Model:
    """Return the model that is trained: with `input_sizes`, one for any size, with the same weights."""
    model = run.built.model
    return at_size(model, (None, None, model.input_shape[-1])) if run.config.training.input_sizes else model


def _distribution(config: TrainingConfig) -> Distribution:
    return Distribution(mirrored=config.distribution == "mirrored", batch_size=config.batch_size)


def _recipe(config: TrainingConfig, train: Batches) -> Recipe:
    shared = {option.name: getattr(config, option.name) for option in fields(OptimizationSettings)}
    return Recipe(
        **shared, class_weights=class_weights(train.examples.labels) if config.class_weights else None
    )


def class_weights(labels: np.ndarray) -> dict[int, float]:
    """Return loss factors inversely proportional to the class counts; mean over images: 1.

    `labels` are the class indices of the training images, int (n,); a class without images has no factor.
    """
    present, counts = np.unique(labels, return_counts=True)
    mean = len(labels) / len(present)
    return {int(index): float(mean / count) for index, count in zip(present, counts, strict=True)}


def _extra(config: TrainConfig, directory: Path) -> list[keras.callbacks.Callback]:
    """Return the optional callbacks: TensorBoard, snapshots, and the report of each epoch to a search."""
    extra: list[keras.callbacks.Callback] = []
    if config.logger is Logger.tensorboard:
        events = str(directory / run_directory.TENSORBOARD)
        extra.append(keras.callbacks.TensorBoard(events, write_graph=False))
    if Callbacks.snapshots in config.callbacks:

        def save(model: keras.Model, epoch: int) -> None:
            save_snapshot(model, epoch, directory)

        extra.append(Snapshots(save, config.training.epochs, config.snapshots.every))
    report = epoch_report.get()
    if report:
        extra.append(ReportEpochs(report, config.training.epochs, config.finetune.head_epochs))
    return extra


def _precision(run: _Run, interrupted: Contract | None) -> str:
    """Return the requested precision, else that of the interrupted run, else the fastest one.

    It is measured at the largest size of the pictures, with the part of a batch that one device gets.
    """
    config, recipe, train = run.config.training, run.recipe, largest_stage(run.stages)
    if config.precision != "auto":
        return config.precision.value
    if interrupted:
        return str(interrupted.training.get("precision", precision.FLOAT32))
    if config.deterministic or recipe.epochs * len(train) < precision.FEWEST_STEPS:
        return precision.FLOAT32
    if len(precision.known_to_hardware()) == 1:
        return precision.FLOAT32
    pictures, labels = train[0]
    part = len(pictures) // run.distribution.devices
    chosen, seconds = precision.fastest(
        _trainee(run), (pictures[:part], labels[:part]), lambda trial: recipe.compile(trial, len(train))
    )
    measured = ", ".join(f"{name} {1000 * duration:.0f} ms" for name, duration in seconds.items())
    print(f"precision: {chosen} (measured per step: {measured or 'no precision fits into memory'})")
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
            "split_sha256": manifest.split_sha256,
            "images": manifest.sizes(),
            **({} if fold is None else {"fold": fold}),
        },
        training={"seed": config.seed, **asdict(config.training), "precision": chosen},
    )


def _interrupted_contract(directory: Path) -> Contract | None:
    """Return the contract of a run that was interrupted after its first epoch or later, else None."""
    return read_contract(directory / CONTRACT_FILE) if (directory / state.FILE).exists() else None


def _check_data_is_the_same(directory: Path, contract: Contract, interrupted: Contract) -> None:
    """Refuse to resume a run if its data set has changed."""
    dataset = json.loads(json.dumps(contract.dataset))
    same_classes = contract.class_names == interrupted.class_names
    if not same_classes or any(dataset.get(key) != value for key, value in interrupted.dataset.items()):
        raise ConvscopeError(
            f"the data set {contract.dataset['name']} has changed since the run in {directory} was "
            "interrupted: set overwrite=true to start again, or choose another hydra.run.dir"
        )
