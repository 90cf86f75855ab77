"""Average the weights of several runs: a model soup (M. Wortsman et al., 2022)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convscope.app.train import run_directory
from convscope.app.train.announce import check_splits
from convscope.app.train.augmented_scores import variant_model
from convscope.app.train.familiarity import write_familiarity
from convscope.app.train.score import (
    evaluation_batches,
    open_data,
    score,
    splits_with_images,
)
from convscope.config.schema.prepare import DatasetConfig
from convscope.config.schema.train import TrainConfig
from convscope.data.manifest import Manifest
from convscope.data.pipeline import Batches
from convscope.errors import ConvscopeError
from convscope.files import user_path, write_text
from convscope.models.bundle import Contract, read_contract, save_model
from convscope.models.checkpoint_files import CONTRACT_FILE, find_model_file
from convscope.models.load import load_model
from convscope.models.opening import open_checkpoint
from convscope.training.evaluate import evaluate

_SHARED = ("class_names", "input_size", "preprocessing")


def soup_run(config: TrainConfig, directory: Path) -> None:
    """Write a run whose weights are the means of those of the runs `config.evaluate`.

    Each run and the soup are evaluated on the validation split, and a line says whether the soup is better
    than the best run. This needs runs that were fine-tuned from the same weights.

    Raises:
        ConvscopeError: the runs differ in network, classes, preprocessing or data set, the data set is
            another one, or `directory` has another run.
        KeyboardInterrupt: after Ctrl-C; its text says what is in the directory.
    """
    run_directory.check(config, directory)
    paths = [find_model_file(user_path(run)) for run in config.evaluate]
    if directory.resolve() in [path.parent.resolve() for path in paths]:
        raise ConvscopeError(
            f"{directory} is one of the averaged runs: choose another hydra.run.dir for the result"
        )
    contract = _shared_contract(paths)
    root, manifest = _open_shared_data(config.dataset, contract)
    splits = ("train", *splits_with_images(root, manifest, ("validation", "test")))
    models = [load_model(path) for path in paths]
    weights = [model.get_weights() for model in models]
    for own, path in zip(weights, paths, strict=True):
        _check_shapes(own, weights[0], path)
    model = models[0]
    batches = evaluation_batches(model, contract, root, manifest, splits)
    losses = [
        _validation_loss(one, batches, str(path.parent)) for one, path in zip(models, paths, strict=True)
    ]
    model.set_weights([np.mean(parts, axis=0, dtype=np.float64) for parts in zip(*weights, strict=True)])
    _compare(_validation_loss(model, batches, "soup"), losses)
    runs = [str(path.parent.resolve()) for path in paths]
    contract = replace(contract, training={"soup": runs}, calibration=None, variant_calibration=None)
    variant_model(config, model, contract.input_size)  # refuses a wrong option before anything is written
    directory.mkdir(parents=True, exist_ok=True)
    run_directory.clear(directory)
    write_text(directory / run_directory.CONFIG_FILE, run_directory.settings(config))
    save_model(model, directory)
    contract.write(directory)
    try:
        bundle = open_checkpoint(directory)
        write_familiarity(directory, bundle.model, batches)
        held_out = {split: data for split, data in batches.items() if split != "train"}
        averaged = variant_model(config, bundle.model, contract.input_size)
        score(directory, bundle, held_out, averaged=averaged, trained=True)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted: {directory} has the averaged model, but no scores; run the command again"
        ) from None


def _open_shared_data(config: DatasetConfig, contract: Contract) -> tuple[Path, Manifest]:
    """Return folder and manifest of the data set; raise ConvscopeError if the runs used another one."""
    root, manifest = open_data(config)
    own = {"split_sha256": manifest.split_sha256, "path": str(root)}
    if _split_of(own) != _split_of(contract.dataset):
        raise ConvscopeError(
            f"the runs were not trained on the split of {root}: expected the data set at "
            f"{contract.dataset.get('path')}, so that its validation images are new to all of them"
        )
    if manifest.classes != contract.class_names:
        raise ConvscopeError(
            f"the data set at {root} has the classes {', '.join(manifest.classes)}, but the runs have "
            f"{', '.join(contract.class_names)}: expected the data set of the runs"
        )
    check_splits(root, manifest)
    return root, manifest


def _split_of(dataset: Mapping[str, Any]) -> str:
    """Return the hash of a split, or the path of a data set that was divided by hand."""
    return str(dataset.get("split_sha256") or Path(str(dataset.get("path"))).resolve())


def _shared_contract(paths: Sequence[Path]) -> Contract:
    """Return the contract of the first run; raise ConvscopeError if another run has other inputs or data."""
    first, *others = [read_contract(path.parent / CONTRACT_FILE) for path in paths]
    for other, path in zip(others, paths[1:], strict=True):
        for name in _SHARED:
            ours, theirs = getattr(first, name), getattr(other, name)
            if ours != theirs:
                raise ConvscopeError(
                    f"{paths[0].parent} and {path.parent} differ in {name} ({ours} and {theirs}): expected "
                    "runs of one network on one data set"
                )
        if _split_of(first.dataset) != _split_of(other.dataset):
            raise ConvscopeError(
                f"{paths[0].parent} and {path.parent} were trained on different splits, so that one may have "
                "seen the validation images of the other: expected runs on the same split"
            )
    return first


def _check_shapes(own: Sequence[np.ndarray], first: Sequence[np.ndarray], path: Path) -> None:
    """Raise ConvscopeError if the weights of a run do not have the shapes of those of the first run."""
    if [weight.shape for weight in own] != [weight.shape for weight in first]:
        raise ConvscopeError(
            f"{path.parent} has another network than the first run: expected runs that were fine-tuned from "
            "the same weights"
        )


def _validation_loss(model: keras.Model, batches: Mapping[str, Batches], name: str) -> float:
    """Print and return the loss on validation."""
    scores = evaluate(model, batches["validation"])
    print(f"{name}: validation loss {scores.loss:.4f}, accuracy {scores.accuracy:.3f}")
    return scores.loss


def _compare(soup: float, losses: Sequence[float]) -> None:
    """Print whether the soup is better than the best run."""
    if soup < min(losses):
        verdict = "better"
    elif soup <= max(losses):
        verdict = "not better"
    else:
        verdict = "worse than all runs, which may not share their start, and not better"
    print(f"the soup is {verdict} than the best run on validation: {soup:.4f} against {min(losses):.4f}")
