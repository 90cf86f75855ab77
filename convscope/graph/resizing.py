"""A flat model for pictures of another size."""

from typing import Any

import keras

from convscope.errors import ConvscopeError, one_line
from convscope.graph.keras_private import shallow_copy


def at_size(model: keras.Model, shape: tuple[int | None, ...]) -> keras.Model:
    """Return a flat model for inputs of another shape, (height, width, channels), with shared weights."""
    inputs: Any = [keras.Input(shape)]
    if isinstance(model, keras.Function):
        inputs = keras.tree.pack_sequence_as(model.input, inputs)
    return keras.models.clone_model(model, input_tensors=inputs, clone_function=shallow_copy)


def resized(model: keras.Model, size: tuple[int, int], option: str) -> keras.Model:
    """Return a flat model for pictures of another height and width, with shared weights.

    Args:
        model: a flat model for one picture.
        size: height and width in pixels.
        option: the option that asks for this size, for the error message.

    Raises:
        ConvscopeError: the model works at its own size only, because a dense layer follows all positions, or
            the pictures are too small.
    """
    _, height, width, channels = model.input_shape
    try:
        return at_size(model, (*size, channels))
    except ValueError as error:
        raise ConvscopeError(
            f"{option}: {model.name} takes {height}×{width} pixels and not {size[0]}×{size[1]} "
            f"({one_line(error)[:250]}): expected a network that ends with a global pooling"
        ) from None
