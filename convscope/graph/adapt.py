"""Copies of layers that compute in float32 and with the channels last, whatever the saved ones do."""

from dataclasses import dataclass, field
from typing import Any

import keras

from convscope.errors import ConvscopeError

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

    def adapted(self, operation: Any, args: Any) -> Any:
        """The operation itself, or its copy.

        Raises:
            ConvscopeError: it does something with channels that come first which is not known here.
        """
        if not isinstance(operation, keras.layers.Layer):
            return operation
        changes = self._changes(operation, args)
        if not changes:
            return operation
        if id(operation) not in self.copies:
            copy = type(operation).from_config(operation.get_config() | changes)
            if operation.weights:
                copy.build(args[0].shape)
                copy.set_weights(operation.get_weights())
                if hasattr(copy, "finalize_state"):  # of layers that were adapted to data
                    copy.finalize_state()
            self.copies[id(operation)] = copy
        return self.copies[id(operation)]

    def _changes(self, layer: Any, args: Any) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if layer.dtype_policy.name != "float32" and "float" in layer.compute_dtype:
            changes["dtype"] = "float32"
        if self.channels_first:
            changes |= self._channels_last(layer, args)
        return changes

    def _channels_last(self, layer: Any, args: Any) -> dict[str, Any]:
        if hasattr(layer, "data_format"):
            return {"data_format": "channels_last"}
        tensors = keras.tree.flatten(args)
        if all(len(getattr(each, "shape", ())) != 4 for each in tensors) or isinstance(layer, _EACH_VALUE):
            return {}
        if isinstance(layer, _WITH_AXIS):
            axis = layer.get_config()["axis"]
            place = axis[0] if isinstance(axis, list | tuple) else axis
            return {"axis": {1: -1, 2: 1, 3: 2, -1: 2, -2: 1, -3: -1}[place]}
        raise ConvscopeError(
            f"the model takes the channels first, and what its layer {layer.name} ({type(layer).__name__}) "
            "does with the channels last is not known: expected a model with the channels last"
        )
