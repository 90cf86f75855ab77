"""Randomisation: whether a map changes when the layers of the network lose what they learned.

J. Adebayo et al., Sanity Checks for Saliency Maps (2018). It is a check and not a ranking of methods.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from convscope.graph import copied, fresh_weights
from convscope.vis.faithfulness.scores import spearman

STAGES = 6  # numbers of randomised layers, at equal distances up to all
UNCHANGED = 0.9  # a map with a higher correlation after the randomisation of all layers does not change
BINS = 100  # of the histogram whose entropy is the complexity of a map
_NOISE = (
    keras.layers.Dropout, keras.layers.AlphaDropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise,
)  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """The weights of a network with some random layers.

    `layers` is the number of randomised layers, of `total` with trained weights. `weights` are in the order
    of `get_weights()`.
    """

    layers: int
    total: int
    weights: list[np.ndarray]


def stages(model: keras.Model, batch: np.ndarray, *, top_down: bool, seed: int) -> Iterator[Stage]:
    """Yield the weights of a flat model with more and more random layers, all of them in the last stage.

    The initializer of each layer draws its weights. Batch normalization from the first randomised layer on
    gets the statistics of one batch.

    Args:
        model: the model; it does not change, but the random state of Keras does.
        batch: preprocessed pictures, float32 (batch, height, width, channels).
        top_down: begin with the layer before the output, and not with the one after the input.
        seed: seed of the weights.

    Raises:
        ConvscopeError: a layer cannot be initialized again.
    """
    trained, fresh = model.get_weights(), fresh_weights(model, seed)
    index = {id(variable): number for number, variable in enumerate(model.weights)}
    learned = [
        position
        for position, layer in enumerate(model.layers)
        # A preprocessing layer is adapted to data, not trained. Dropout has a seed, which is no weight.
        if layer.weights and not hasattr(layer, "finalize_state") and not isinstance(layer, _NOISE)
    ]
    copy = copied(model)
    counts = np.unique(np.linspace(0, len(learned), STAGES + 1).round().astype(int))[1:]
    for count in counts:
        chosen = learned[-count:] if top_down else learned[:count]
        weights = list(trained)
        for position in chosen:
            for variable in model.layers[position].weights:
                weights[index[id(variable)]] = fresh[index[id(variable)]]
        copy.set_weights(weights)
        _recalibrate(copy, chosen[0], batch)
        yield Stage(int(count), len(learned), copy.get_weights())


def _recalibrate(model: keras.Model, first: int, batch: np.ndarray) -> None:
    """Set the statistics of batch normalization to those of a batch, from the layer with index `first` on."""
    for position, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable, layer.momentum = position >= first, 0.0
        elif isinstance(layer, _NOISE):
            layer.rate = layer.stddev = 0.0
    model(batch, training=True)


@contextmanager
def replaced(model: keras.Model) -> Iterator[None]:
    """Restore the weights of a model after the `with` block."""
    weights = model.get_weights()
    try:
        yield
    finally:
        model.set_weights(weights)


def similarity(maps: list[np.ndarray], randomised: list[np.ndarray]) -> np.ndarray:
    """Return Spearman's correlation of each map with the map of the randomised network, float64 (n,).

    A constant map has the correlation 0 with any map, but 1 if both are constant.
    """
    return np.array(
        [
            1.0 if np.ptp(one) == 0 == np.ptp(other) else spearman(one, other)
            for one, other in zip(maps, randomised, strict=True)
        ]
    )


def complexity_change(heat: np.ndarray, randomised: np.ndarray) -> float:
    """Return eMPRT: by which share the entropy of a map grows when all weights are random.

    It is NaN for a map with the entropy 0. A. Hedström et al., Sanity Checks Revisited: An Exploration to
    Repair the Model Parameter Randomisation Test (2023).
    """
    before = entropy(heat)
    return (entropy(randomised) - before) / before if before > 0 else np.nan


def entropy(heat: np.ndarray) -> float:
    """Return the entropy of a histogram of 100 bins from the lowest to the highest value, in nats."""
    counts = np.histogram(heat, BINS)[0]
    shares = counts[counts > 0] / heat.size
    return float(-(shares * np.log(shares)).sum())
