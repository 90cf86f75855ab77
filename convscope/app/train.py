"""Stage 2: data and model into a bundle, with its curves and metrics."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from convscope import config as configuration
from convscope.app.models import build
from convscope.config import (
    AugmentationConfig,
    TrainConfig,
)
from convscope.data.augment import Augment, Ranges, fast_augmentation
from convscope.data.augment_keras import keras_augmentation
from convscope.data.manifest import manifest_hash, open_dataset
from convscope.data.pipeline import Batches, examples_of
from convscope.errors import ConvscopeError
from convscope.files import write_json, write_text
from convscope.models.bundle import CONTRACT_FILE, MODEL_FILE, Contract, open_bundle, save_model
from convscope.render import figure
from convscope.training.evaluate import evaluate
from convscope.training.loop import fit


def train(config: TrainConfig, directory: Path) -> None:
    """Train on the data set's train split and write the bundle into `directory`.

    Written are model.keras (the epoch with the lowest validation loss), model.json, config.yaml,
    history.csv, metrics.json, curves.png, confusion_matrix.png.

    Raises:
        ConvscopeError: no such data set, weights that do not fit, or a run is in `directory` already.
    """
    assert config.dataset.name is not None
    fold = config.dataset.fold
    root = Path(config.dataset.root).expanduser() / config.dataset.name
    manifest = open_dataset(root, fold)
    if len(manifest.classes) < 2:
        raise ConvscopeError(f"the data set at {root} has one class only, expected two or more")
    if (directory / MODEL_FILE).exists() and not config.overwrite:
        raise ConvscopeError(
            f"{directory} holds a trained model: say overwrite=true to train anew into it, or choose "
            "another hydra.run.dir"
        )
    keras.utils.set_random_seed(config.seed)
    built = build(config.model, len(manifest.classes))
    model = built.model
    contract = Contract(
        name=model.name,
        class_names=manifest.classes,
        input_size=built.input_size,
        preprocessing=built.preprocessing,
        dataset={
            "name": manifest.name,
            "path": str(root.resolve()),
            "manifest_sha256": manifest_hash(root, fold),
            **({} if fold is None else {"fold": fold}),
        },
        training={"seed": config.seed, **asdict(config.training)},
    )
    batches = {
        split: Batches(
            examples_of(root, manifest, split),
            size=contract.input_size,
            preprocessing=contract.preprocessing,
            batch_size=config.training.batch_size,
            augment=_augmentation(config.augmentation) if split == "train" else None,
            shuffle_seed=config.seed if split == "train" else None,
            binary=config.model.output == "sigmoid",
        )
        for split in ("train", "validation", "test")
    }
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MODEL_FILE).unlink(missing_ok=True)
    write_text(directory / "config.yaml", configuration.to_yaml(config))
    contract.write(directory)
    _announce(model, contract, batches)
    history = fit(
        model,
        batches["train"],
        batches["validation"],
        epochs=config.training.epochs,
        learning_rate=config.training.learning_rate,
        history=directory / "history.csv",
        save=lambda trained: save_model(trained, directory),
    )
    figure.learning_curves(directory / "curves.png", history)
    _evaluate(directory, batches, contract)


def _augmentation(config: AugmentationConfig) -> Augment | None:
    engine = {"fast": fast_augmentation, "keras": keras_augmentation}[config.engine.value]
    return engine(Ranges.of(asdict(config)))


def _announce(model: keras.Model, contract: Contract, batches: dict[str, Batches]) -> None:
    counts = ", ".join(f"{len(each.examples.paths)} {split}" for split, each in batches.items())
    print(
        f"{contract.name}: {model.count_params():,} parameters, input {contract.input_size[0]}×"
        f"{contract.input_size[1]}, preprocessing {contract.preprocessing.name}; "
        f"{contract.dataset['name']}: {counts} images of {len(contract.class_names)} classes"
    )


def _evaluate(directory: Path, batches: dict[str, Batches], contract: Contract) -> None:
    """Score the model that was kept, as it is on disk, on validation and test."""
    model = open_bundle(directory).model
    results: dict[str, Any] = {}
    for split in ("validation", "test"):
        scored = evaluate(model, batches[split])
        results[split] = scored.summary()
        print(f"{split:>10}: loss {scored.loss:.4f}, accuracy {scored.accuracy:.3f}")
    write_json(directory / "metrics.json", results)
    title = f"{contract.dataset['name']}, test split: accuracy {scored.accuracy:.1%}"
    figure.confusion_matrix(directory / "confusion_matrix.png", scored.confusion, contract.class_names, title)
    print(f"written: {directory} ({MODEL_FILE}, {CONTRACT_FILE}, curves.png, confusion_matrix.png, …)")
