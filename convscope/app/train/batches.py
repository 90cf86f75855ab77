"""The batches of a training: augmentation, normalization, and the sizes of the pictures."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from convscope.app.train.build_model import BuiltModel
from convscope.app.train.score import splits_with_images
from convscope.config.schema.augmentation import AugmentationConfig
from convscope.config.schema.train import TrainConfig, TrainingConfig
from convscope.data.augment import Augment, fast_augmentation
from convscope.data.augment_keras import keras_augmentation
from convscope.data.dataset_statistics import channel_moments
from convscope.data.deleted_cell import with_deleted_cells
from convscope.data.manifest import Manifest
from convscope.data.pipeline import Batches, Randomness, labelled_images
from convscope.graph import resized
from convscope.preprocessing import Preprocessing
from convscope.progress import progress


def split_batches(
    config: TrainConfig, root: Path, manifest: Manifest, built: BuiltModel
) -> dict[str, Batches]:
    """Return the batches of each split that has images; those of train are augmented and shuffled."""
    result = {}
    augment = _augmentation(config.augmentation)
    randomness = Randomness(config.seed, augment, config.training.mixup)
    for split in ("train", *splits_with_images(root, manifest, ("validation", "test"))):
        examples = labelled_images(root, manifest, split)
        result[split] = Batches(
            examples.fraction(config.training.fraction) if split == "train" else examples,
            size=built.input_size,
            preprocessing=built.preprocessing,
            batch_size=config.training.batch_size,
            binary=config.model.output == "sigmoid",
            randomness=randomness if split == "train" else None,
        )
    return result


def training_stages(config: TrainingConfig, built: BuiltModel, train: Batches) -> list[Batches]:
    """Return the training batches at each of `input_sizes`; without them, only at the size of the model.

    Raises:
        ConvscopeError: the network works at one size only.
    """
    for size in config.input_sizes:
        resized(built.model, (size, size), f"training.input_sizes={config.input_sizes}")
    return [train.resized((size, size)) for size in config.input_sizes] or [train]


def largest_stage(stages: Sequence[Batches]) -> Batches:
    """Return the stage with the largest pictures."""
    return max(stages, key=lambda stage: math.prod(stage.size))


def normalized(config: TrainConfig, root: Path, manifest: Manifest, built: BuiltModel) -> Preprocessing:
    """Return the model's preprocessing with the normalization of ImageDataGenerator, for all splits."""
    options = config.augmentation
    preprocessing = replace(
        built.preprocessing,
        samplewise_center=options.samplewise_center or options.samplewise_std_normalization,
        samplewise_std=options.samplewise_std_normalization,
    )
    if not options.featurewise:
        return preprocessing
    train = Batches(
        labelled_images(root, manifest, "train").fraction(config.training.fraction),
        size=built.input_size,
        preprocessing=preprocessing,
        batch_size=32,
    )
    steps = progress(range(len(train)), desc="statistics", unit="batch", leave=False)
    mean, deviation = channel_moments(train[index][0] for index in steps)
    return preprocessing.featurewise(mean, deviation if options.featurewise_std_normalization else None)


def _augmentation(config: AugmentationConfig) -> Augment | None:
    engine = {"fast": fast_augmentation, "keras": keras_augmentation}[config.engine.value]
    return with_deleted_cells(engine(config), config.delete_cell)
