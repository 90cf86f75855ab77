"""Copies of models, with layers of their own."""

from collections.abc import Callable

import keras
import numpy as np

from convscope.errors import ConvscopeError, one_line
from convscope.graph.keras_private import shallow_copy


def copied(
    model: keras.Model, clone: Callable[[keras.layers.Layer], keras.layers.Layer] | None = None
) -> keras.Model:
    """A flat model again, with the same weights in layers of its own; `clone` makes a layer from a layer.

    Keras' `set_weights` leaves a Normalization computing with what it had before; that is mended here.
    """
    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return copy


def fresh_weights(model: keras.Model, seed: int) -> list[np.ndarray]:
    """What the weights of a flat model would begin a training with, in the order of `get_weights()`.

    Each layer's own initialisers draw them, so that the statistics of batch normalisation are those before
    the first step. A layer that was adapted to data keeps what it knows of them: that is preprocessing, and
    is not learned. The model stays as it is; Keras' random state does not.

    Raises:
        ConvscopeError: a layer cannot be made again from its configuration.
    """

    def again(layer: keras.layers.Layer) -> keras.layers.Layer:
        if hasattr(layer, "finalize_state") or not getattr(layer, "weights", None):
            return shallow_copy(layer)  # an operation that is no layer has none either
        try:
            return type(layer).from_config(layer.get_config())
        except Exception as error:
            raise ConvscopeError(
                f"layer {layer.name} ({type(layer).__name__}) cannot be made again with random weights "
                f"({one_line(error)[:160]}): leave random out of compare"
            ) from None

    # Not the seed itself: of a training with the same one, it would give some layers the very start.
    keras.utils.set_random_seed(int(np.random.SeedSequence((seed, 1)).generate_state(1)[0]))
    return keras.models.clone_model(model, clone_function=again).get_weights()
