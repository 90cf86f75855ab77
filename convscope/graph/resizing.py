"""A flat model for pictures of another size."""

from typing import Any

import keras

from convscope.errors import ConvscopeError, one_line
from convscope.graph.keras_private import call_of, shallow_copy

_FLATTENING = ("Flatten", "Reshape")


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
        ConvscopeError: the model works at its own size only, because its dense layers see positions, or the
            pictures are too small.
    """
    _, height, width, channels = model.input_shape
    cannot = f"{option}: the network takes {height}×{width} pixels and not {size[0]}×{size[1]}"
    if size != (height, width) and None not in (height, width) and _sees_positions(model):
        raise ConvscopeError(
            f"{cannot}, because it flattens feature maps: expected a network that ends with a global pooling"
        )
    try:
        return at_size(model, (*size, channels))
    except ValueError as error:
        raise ConvscopeError(f"{cannot} ({one_line(error)[:250]}): expected larger pictures") from None


def _sees_positions(model: keras.Model) -> bool:
    """Return whether the model flattens feature maps, so that the dense layers see each position."""
    flattening = [operation for operation in model.operations if type(operation).__name__ in _FLATTENING]
    return any(len(call_of(operation.output).inputs[0].shape) == 4 for operation in flattening)
