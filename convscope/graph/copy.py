"""Copies of models, with layers of their own."""

from collections.abc import Callable

import keras


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
