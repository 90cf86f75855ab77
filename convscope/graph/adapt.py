"""Copies of layers that compute in float32 with the channels last."""

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
# Layers and operations that do not depend on the axis of the channels.
_ELEMENTWISE = (
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
_ELEMENTWISE_OPERATIONS = (
    "Absolute", "Add", "Cast", "Clip", "Divide", "Elu", "Exp", "Gelu", "LeakyRelu", "Log", "Maximum",
    "Minimum", "Multiply", "Negative", "Power", "Relu", "Relu6", "Selu", "Sigmoid", "Silu", "Sqrt",
    "Square", "Subtract", "Tanh", "TrueDivide",
)  # fmt: skip


@dataclass
class Adapter:
    """Copies the operations of a model for a flat graph that computes in float32 with the channels last.

    An operation that is called twice is copied once. A copy shares the weights of its layer if its
    configuration does not change. `channels_first` says whether the model has `data_format=channels_first`;
    the kernels of convolutions have the same shape in both formats. `copies` are pairs (original, copy) by
    the id of the original.
    """

    channels_first: bool
    copies: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @classmethod
    def for_model(cls, model: keras.Model) -> "Adapter":
        """Return the adapter for a model."""
        formats = {getattr(layer, "data_format", None) for layer in _all_layers(model)}
        return cls("channels_first" in formats)

    def input_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of an input, (batch, ...), with the channels last."""
        if self.channels_first and len(shape) == 4:
            return (shape[0], *shape[2:], shape[1])
        return tuple(shape)

    def adapted(self, operation: Any, path: str, args: Any, kwargs: Any) -> Any:
        """Return the copy of an operation.

        Raises:
            ConvscopeError: the operation cannot be converted to float32 or to channels-last.
        """
        if id(operation) not in self.copies:
            changes = self._changes(operation, args, kwargs)
            copy = _changed(operation, changes, args, kwargs) if changes else shallow_copy(operation)
            self.copies[id(operation)] = operation, self._named(copy, path)
        elif self.channels_first:
            self._changes(operation, args, kwargs)  # raises if these arguments cannot be converted
        return self.copies[id(operation)][1]

    def _named(self, operation: Any, path: str) -> Any:
        """Give an operation a unique name in the flat graph: its own name, or one made of its path."""
        base = path.replace("/", "_")
        names = chain([operation.name, base], (f"{base}_{number}" for number in count(2)))
        operation.name = next(name for name in names if name not in self.names)
        self.names.add(operation.name)
        return operation

    def _changes(self, operation: Any, args: Any, kwargs: Any) -> dict[str, Any]:
        """Return the entries of the configuration that change in the copy."""
        changes: dict[str, Any] = {}
        is_layer = isinstance(operation, keras.layers.Layer)
        if is_layer and operation.dtype_policy.name != "float32" and "float" in operation.compute_dtype:
            changes["dtype"] = "float32"
        if self.channels_first:
            changes |= _channels_last(operation, args, kwargs)
        return changes


def _channels_last(operation: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return the entries of the configuration that convert an operation to channels-last.

    Raises:
        ConvscopeError: it cannot be converted.
    """
    if getattr(operation, "data_format", None) == "channels_first":
        return {"data_format": "channels_last"}
    if _is_elementwise(operation, args, kwargs):
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
            f"the model has data_format=channels_first, and its layer {operation.name} "
            f"({type(operation).__name__}) cannot be converted: expected a model with channels_last"
        )
    return {}


def _maps_of(operation: Any, args: Any, kwargs: Any) -> list[tuple[int | None, ...]]:
    """Return the shapes of an operation's outputs with four dimensions."""
    outputs = keras.tree.flatten(operation.compute_output_spec(*args, **kwargs))
    return [_shape(tensor) for tensor in outputs if len(tensor.shape) == 4]


def _is_elementwise(operation: Any, args: Any, kwargs: Any) -> bool:
    """Return whether an operation does not depend on the axis of the channels."""
    if isinstance(operation, keras.layers.Layer):
        constants = [getattr(operation, "scale", 0), getattr(operation, "offset", 0)]
        known = isinstance(operation, _ELEMENTWISE)
    else:
        constants = [x for x in keras.tree.flatten((args, kwargs)) if not isinstance(x, keras.KerasTensor)]
        known = type(operation).__name__ in _ELEMENTWISE_OPERATIONS
    tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
    ranks = {len(tensor.shape) for tensor in tensors}
    return known and not any(map(np.ndim, constants)) and len(ranks - {0}) < 2


def _shape(value: Any) -> tuple[int | None, ...]:
    return tuple(getattr(value, "shape", ()))


def _all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)


def _changed(layer: Any, changes: dict[str, Any], args: Any, kwargs: Any) -> Any:
    """Return a copy of a layer with changes in its configuration and the same values of its weights."""
    try:
        copy = type(layer).from_config(layer.get_config() | changes)
        if layer.weights:
            if len(args) == 1 and hasattr(args[0], "shape"):
                copy.build(args[0].shape)
            else:
                copy(*args, **kwargs)
                copy = shallow_copy(copy)
            copy.set_weights(layer.get_weights())
            if hasattr(copy, "finalize_state"):  # preprocessing layers, such as Normalization
                copy.finalize_state()
    except Exception as error:
        raise ConvscopeError(
            f"cannot copy the layer {layer.name} ({type(layer).__name__}) with {changes} "
            f"({one_line(error)[:200]}): expected a model in float32 with channels_last"
        ) from None
    return copy
