"""Store what the features of training photographs look like, so that unlike photographs are noticed."""

import math
from pathlib import Path

import keras
import numpy as np

from convscope.data.pipeline import Batches, LabelledImages
from convscope.graph import features_of
from convscope.models.bundle import ModelBundle
from convscope.models.familiarity import Familiarity, most_images
from convscope.progress import progress


def with_features(model: keras.Model) -> keras.Model:
    """Return a model with two outputs: the input of the last layer, (batch, …), and the output."""
    return keras.Model(model.inputs[0], [features_of(model), model.outputs[0]])


def write_familiarity(
    directory: Path, bundle: ModelBundle, train: LabelledImages, validation: Batches
) -> None:
    """Write `familiarity.npz`: the features of at most 5,000 training images, without augmentation."""
    model = with_features(bundle.model)
    count = len(train.paths)
    most = min(count, most_images(math.prod(model.output_shape[0][1:])))
    chosen = np.sort(np.random.default_rng(0).permutation(count)[:most])
    contract = bundle.contract
    images = LabelledImages(
        [train.paths[index] for index in chosen], train.labels[chosen], train.classes, train.plain
    )
    batches = Batches(images, size=contract.input_size, preprocessing=contract.preprocessing, batch_size=32)
    Familiarity.fit(_features(model, batches), _features(model, validation)).save(directory)


def _features(model: keras.Model, batches: Batches) -> np.ndarray:
    steps = progress(range(len(batches)), desc="features of known photographs", unit="batch", leave=False)
    return np.concatenate([model.predict_on_batch(batches[index][0])[0] for index in steps])
