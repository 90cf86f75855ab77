"""Copies of models with new layers, and initial weights."""

from collections.abc import Callable

import keras
import numpy as np

from convscope.errors import ConvscopeError, one_line
from convscope.graph.keras_private import shallow_copy


def copied(
    model: keras.Model, clone: Callable[[keras.layers.Layer], keras.layers.Layer] | None = None
) -> keras.Model:
    """Return a copy of a flat model with new layers and equal weights.

    `clone` returns the copy of a layer; None copies a layer from its configuration. A `Normalization` layer
    uses new weights only after `finalize_state()`. `set_weights` of Keras does not call it, so this function
    does.
    """
    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return copy


def fresh_weights(model: keras.Model, seed: int) -> list[np.ndarray]:
    """Return the weights of a flat model before training, in the order of `get_weights()`.

    The initializers of the layers draw them; batch normalization gets the statistics from before the first
    step. A preprocessing layer that was adapted to data keeps its state, because training does not change it.
    The model does not change, but the random state of Keras does.

    Raises:
        ConvscopeError: a layer cannot be copied from its configuration.
    """

    def untrained(layer: keras.layers.Layer) -> keras.layers.Layer:
        if hasattr(layer, "finalize_state") or not getattr(layer, "weights", None):
            return shallow_copy(layer)
        try:
            return type(layer).from_config(layer.get_config())
        except Exception as error:
            raise ConvscopeError(
                f"cannot initialize the layer {layer.name} ({type(layer).__name__}) again "
                f"({one_line(error)[:160]}): remove random from compare, or randomisation from "
                "faithfulness.measures"
            ) from None

    # A derived seed: with the seed itself, some layers would get the initial weights of the training.
    keras.utils.set_random_seed(int(np.random.SeedSequence((seed, 1)).generate_state(1)[0]))
    return keras.models.clone_model(model, clone_function=untrained).get_weights()
