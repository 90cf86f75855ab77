"""Copies of layers that compute in float32 and with the channels last, whatever the saved ones do."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

import keras
import numpy as np

from convscope.errors import ConvscopeError, one_line
from convscope.graph.keras_private import shallow_copy

_WITH_AXIS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.Concatenate,
    keras.layers.Softmax,
)
# What treats each value alike, so that it does not matter where the channels are.
_EACH_VALUE = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.Dropout,
    keras.layers.Add,
    keras.layers.Subtract,
    keras.layers.Multiply,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Rescaling,
    keras.layers.Identity,
)


_EACH_VALUE_OPERATIONS = (
    "Absolute", "Add", "Cast", "Clip", "Divide", "Elu", "Exp", "Gelu", "LeakyRelu", "Log", "Maximum",
    "Minimum", "Multiply", "Negative", "Power", "Relu", "Relu6", "Selu", "Sigmoid", "Silu", "Sqrt",
    "Square", "Subtract", "Tanh", "TrueDivide",
)  # fmt: skip


@dataclass
class Adapter:
    """Copies the operations of a model for a flat graph: in float32, and with the channels last.

    An operation that is called twice is copied once. A copy shares the weights of its layer if its
    configuration stays the same. `channels_first` says whether the model takes its pictures with the
    channels first; the kernels of convolutions are the same either way.
    """

    channels_first: bool
    copies: dict[int, tuple[Any, Any]] = field(
        default_factory=dict
    )  # by the id of the original, which is kept
    names: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, model: keras.Model) -> "Adapter":
        """Return the adapter for a model."""
        formats = {getattr(layer, "data_format", None) for layer in _all_layers(model)}
        return cls("channels_first" in formats)

    def input_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of an input, with the batch, with the channels last."""
        if self.channels_first and len(shape) == 4:
            return (shape[0], *shape[2:], shape[1])
        return tuple(shape)

    def adapted(self, operation: Any, path: str, args: Any, kwargs: Any) -> Any:
        """Return the copy of an operation.

        Raises:
            ConvscopeError: what the operation does with channels that come first is not known, or it cannot
                be made again in float32.
        """
        if id(operation) not in self.copies:
            changes = self._changes(operation, args, kwargs)
            copy = _changed(operation, changes, args, kwargs) if changes else shallow_copy(operation)
            self.copies[id(operation)] = operation, self._named(copy, path)
        elif self.channels_first:
            self._changes(operation, args, kwargs)  # another call can have other arguments
        return self.copies[id(operation)][1]

    def _named(self, operation: Any, path: str) -> Any:
        """Give an operation a name that no other of the flat graph has: its own, or one made of its path."""
        base = path.replace("/", "_")
        names = chain([operation.name, base], (f"{base}_{number}" for number in count(2)))
        operation.name = next(name for name in names if name not in self.names)
        self.names.add(operation.name)
        return operation

    def _changes(self, operation: Any, args: Any, kwargs: Any) -> dict[str, Any]:
        """Return the entries of a layer's configuration that its copy must have otherwise."""
        changes: dict[str, Any] = {}
        is_layer = isinstance(operation, keras.layers.Layer)
        if is_layer and operation.dtype_policy.name != "float32" and "float" in operation.compute_dtype:
            changes["dtype"] = "float32"
        if self.channels_first:
            changes |= _channels_last(operation, args, kwargs)
        return changes


def _channels_last(operation: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return what makes an operation do with the channels last what it does with the channels first.

    Raises:
        ConvscopeError: this is not known.
    """
    if getattr(operation, "data_format", None) == "channels_first":
        return {"data_format": "channels_last"}
    if _treats_values_alike(operation, args, kwargs):
        return {}
    shapes = [_shape(tensor) for tensor in keras.tree.flatten((args, kwargs))]
    takes_maps = any(len(shape) == 4 for shape in shapes)
    if isinstance(operation, _WITH_AXIS) and takes_maps:
        axis = operation.get_config()["axis"]
        axes = axis if isinstance(axis, list | tuple) else [axis]
        if len(axes) == 1:
            return {"axis": {1: -1, 2: 1, 3: 2, -1: 2, -2: 1, -3: -1}[axes[0]]}
    maps = [] if takes_maps else _maps_of(operation, args, kwargs)
    if maps and isinstance(operation, keras.layers.Reshape) and maps[0][2:] == (1, 1):
        return {"target_shape": (1, 1, maps[0][1])}  # the same values in the same order
    if takes_maps or maps:
        raise ConvscopeError(
            f"the model takes the channels first, and what its layer {operation.name} "
            f"({type(operation).__name__}) does with the channels last is not known: expected a model "
            "with the channels last"
        )
    return {}


def _maps_of(operation: Any, args: Any, kwargs: Any) -> list[tuple[int | None, ...]]:
    """Return the shapes with four dimensions of what an operation returns."""
    returned = keras.tree.flatten(operation.compute_output_spec(*args, **kwargs))
    return [_shape(tensor) for tensor in returned if len(tensor.shape) == 4]


def _treats_values_alike(operation: Any, args: Any, kwargs: Any) -> bool:
    """Whether an operation does not depend on the axis of the channels."""
    if isinstance(operation, keras.layers.Layer):
        constants = [getattr(operation, "scale", 0), getattr(operation, "offset", 0)]
        alike = isinstance(operation, _EACH_VALUE)
    else:
        constants = [x for x in keras.tree.flatten((args, kwargs)) if not isinstance(x, keras.KerasTensor)]
        alike = type(operation).__name__ in _EACH_VALUE_OPERATIONS
    tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
    ranks = {len(tensor.shape) for tensor in tensors}
    return alike and not any(map(np.ndim, constants)) and len(ranks - {0}) < 2


def _shape(value: Any) -> tuple[int | None, ...]:
    return tuple(getattr(value, "shape", ()))


def _all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)


def _changed(layer: Any, changes: dict[str, Any], args: Any, kwargs: Any) -> Any:
    """Return a layer made again with changes in its configuration, with the same weights."""
    try:
        copy = type(layer).from_config(layer.get_config() | changes)
        if layer.weights:
            if len(args) == 1 and hasattr(args[0], "shape"):
                copy.build(args[0].shape)
            else:
                copy(*args, **kwargs)
                copy = shallow_copy(copy)
            copy.set_weights(layer.get_weights())
            if hasattr(copy, "finalize_state"):  # of layers that were adapted to data
                copy.finalize_state()
    except Exception as error:
        said = one_line(error)[:200]
        raise ConvscopeError(
            f"layer {layer.name} ({type(layer).__name__}) cannot be made again with "
            f"{changes} ({said}): expected a model in float32 with the channels last"
        ) from None
    return copy
