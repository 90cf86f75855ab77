"""Store what the features of training photographs look like, so that unlike photographs are noticed."""

import math
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from convscope.app.train.finetune import Features
from convscope.data.pipeline import Batches
from convscope.graph import features_of
from convscope.models.familiarity import Familiarity, most_images
from convscope.models.head import split_at_head
from convscope.progress import progress

_BATCH = 32


def with_features(model: keras.Model) -> keras.Model:
    """Return a model with two outputs: the input of the last layer, (batch, …), and the output."""
    return keras.Model(model.inputs[0], [features_of(model), model.outputs[0]])


def write_familiarity(
    directory: Path, model: keras.Model, batches: Mapping[str, Batches], features: Features | None = None
) -> None:
    """Write `familiarity.npz`: the features of at most 5,000 training images, without augmentation.

    Args:
        directory: the run directory.
        model: the trained model.
        batches: the batches of the splits.
        features: those of the trunk, if the training did not change it; only the head is computed then.
    """
    source = with_features(model if features is None else split_at_head(model)[1])
    most = most_images(math.prod(source.output_shape[0][1:]))
    train, validation = (
        _features(source, batches[split], features.values[features.rows[split]] if features else None, most)
        for split in ("train", "validation")
    )
    Familiarity.fit(train, validation).save(directory)


def _features(model: keras.Model, data: Batches, pooled: np.ndarray | None, most: int) -> np.ndarray:
    """Return the features of at most `most` images of a split, chosen at random."""
    examples = data.examples
    chosen = np.sort(np.random.default_rng(0).permutation(len(examples.paths))[:most])
    if pooled is not None:
        parts = np.array_split(pooled[chosen], -(-len(chosen) // _BATCH))
        return np.concatenate([model.predict_on_batch(part)[0] for part in parts])
    images = examples.at(chosen)
    batches = Batches(images, size=data.size, preprocessing=data.preprocessing, batch_size=_BATCH)
    steps = progress(range(len(batches)), desc="features of known photographs", unit="batch", leave=False)
    return np.concatenate([model.predict_on_batch(batches[index][0])[0] for index in steps])
