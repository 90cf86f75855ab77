"""Copies of layers that compute in float32 and with the channels last, whatever the saved ones do."""

from dataclasses import dataclass, field
from typing import Any

import keras

from convscope.errors import ConvscopeError, one_line

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
    """Makes what it is given compute in float32, and with the channels last if `channels_first`.

    The kernels of convolutions are the same either way. A layer that is called twice is copied once.
    """

    channels_first: bool
    copies: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> "Adapter":
        """The one for a model: does it take pictures with the channels first?"""
        formats = {getattr(each, "data_format", None) for each in model._flatten_layers()}
        return cls("channels_first" in formats)

    def input_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Of an input with the batch: the channels last."""
        if self.channels_first and len(shape) == 4:
            return (shape[0], *shape[2:], shape[1])
        return tuple(shape)

    def adapted(self, operation: Any, args: Any, kwargs: Any) -> Any:
        """The operation itself, or its copy.

        Raises:
            ConvscopeError: it does something with channels that come first which is not known here, or it
                cannot be copied.
        """
        if not isinstance(operation, keras.layers.Layer):
            if self.channels_first and type(operation).__name__ not in _EACH_VALUE_OPERATIONS:
                self._refuse_maps(operation, args)
            return operation
        changes = self._changes(operation, args)
        if changes and id(operation) not in self.copies:
            try:
                self.copies[id(operation)] = _copy(operation, changes, args, kwargs)
            except Exception as error:
                said = one_line(error)[:200]
                raise ConvscopeError(
                    f"layer {operation.name} ({type(operation).__name__}) cannot be made again with "
                    f"{changes} ({said}): expected a model in float32 with the channels last"
                ) from None
        return self.copies.get(id(operation), operation)

    def _changes(self, layer: Any, args: Any) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if layer.dtype_policy.name != "float32" and "float" in layer.compute_dtype:
            changes["dtype"] = "float32"
        if self.channels_first:
            changes |= self._channels_last(layer, args)
        return changes

    def _channels_last(self, layer: Any, args: Any) -> dict[str, Any]:
        if getattr(layer, "data_format", None) == "channels_first":
            return {"data_format": "channels_last"}
        if isinstance(layer, _EACH_VALUE):
            return {}
        if isinstance(layer, _WITH_AXIS) and _takes_maps(args):
            axis = layer.get_config()["axis"]
            places = axis if isinstance(axis, list | tuple) else [axis]
            if len(places) == 1:
                return {"axis": {1: -1, 2: 1, 3: 2, -1: 2, -2: 1, -3: -1}[places[0]]}
        self._refuse_maps(layer, args)
        return {}

    def _refuse_maps(self, operation: Any, args: Any) -> None:
        if _takes_maps(args):
            raise ConvscopeError(
                f"the model takes the channels first, and what its layer {operation.name} "
                f"({type(operation).__name__}) does with the channels last is not known: expected a model "
                "with the channels last"
            )


def _takes_maps(args: Any) -> bool:
    return any(len(getattr(each, "shape", ())) == 4 for each in keras.tree.flatten(args))


def _copy(layer: Any, changes: dict[str, Any], args: Any, kwargs: Any) -> Any:
    copy = type(layer).from_config(layer.get_config() | changes)
    if layer.weights:
        if len(args) == 1 and hasattr(args[0], "shape"):
            copy.build(args[0].shape)
        else:
            copy(*args, **kwargs)
        copy.set_weights(layer.get_weights())
        if hasattr(copy, "finalize_state"):  # of layers that were adapted to data
            copy.finalize_state()
    return copy
