"""What stands at the end of a layer or a model: its activation, and what was there before it."""

from typing import Any

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph.keras_private import call_of, shallow_copy

_ACTIVATION_LAYERS = {keras.layers.Softmax: "softmax", keras.layers.ReLU: "relu"}
_ACTIVATION_OPERATIONS = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
}  # classes are not public
_SAME_VALUES_LAYERS = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Dropout,
    keras.layers.Identity,
)
_SAME_VALUES_OPERATIONS = ("Reshape", "Flatten", "Squeeze", "Cast", "Identity")


def activation_of(tensor: Any) -> str | None:
    """The activation that a tensor went through last: "softmax", "linear", …; None if not known."""
    call = call_of(tensor)
    operation = call.operation
    alone = _activation_alone(operation)
    if alone is not None:
        return alone
    if _keeps_values(operation):
        return activation_of(call.inputs[0])
    activation = getattr(operation, "activation", None)
    if activation is None:
        pools = isinstance(operation, keras.layers.GlobalAveragePooling2D)
        return "linear" if pools and activation_of(call.inputs[0]) in ("linear", "relu") else None
    return getattr(activation, "__name__", None)


def before_activation(tensor: Any) -> Any:
    """A layer's output without the activation that is inside it, in the same graph.

    For a softmax or sigmoid head: the logits. A layer of its own that only activates is passed over; one with
    an activation inside is replaced by a shallow copy with a linear one, which shares its weights. The model
    itself is left as it is.
    """
    call = call_of(tensor)
    operation = call.operation
    if _activation_alone(operation) is not None or isinstance(operation, keras.layers.Activation):
        return call.inputs[0]
    if _keeps_values(operation) and (_is_cast(operation) or activation_of(tensor) in ("softmax", "sigmoid")):
        return operation(before_activation(call.inputs[0]), *call.args[1:], **call.kwargs)
    if vars(operation).get("activation") in (None, keras.activations.linear):
        return tensor
    linear = shallow_copy(operation)
    vars(linear).update(activation=keras.activations.linear, name=f"{operation.name}_linear")
    return linear(*call.args, **call.kwargs)


def _activation_alone(operation: Any) -> str | None:
    """Return the activation of a layer or operation that does nothing else, None for others."""
    if not isinstance(operation, keras.layers.Layer):
        return _ACTIVATION_OPERATIONS.get(type(operation).__name__)
    return next((name for kind, name in _ACTIVATION_LAYERS.items() if isinstance(operation, kind)), None)


def _keeps_values(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Layer):
        return isinstance(operation, _SAME_VALUES_LAYERS)
    return type(operation).__name__ in _SAME_VALUES_OPERATIONS


def _is_cast(operation: Any) -> bool:
    return type(operation).__name__ == "Cast"


def as_probabilities(model: keras.Model, outputs: str | None = None) -> keras.Model:
    """The model, ending in probabilities: one that gives logits gets a softmax, or a sigmoid for one unit.

    Args:
        model: with one output (batch, classes).
        outputs: "probabilities" or "logits"; None finds out by the last activation.

    Raises:
        ConvscopeError: which of them it gives is not clear, or the output has another shape.
    """
    tensor = model.outputs[0]
    if len(tensor.shape) != 2 or tensor.shape[-1] is None:
        raise ConvscopeError(f"the output is {tuple(tensor.shape)}: expected (batch, classes)")
    found = activation_of(tensor)
    if outputs == "logits" and found in ("softmax", "sigmoid"):
        raise ConvscopeError(f"outputs=logits, but the last layer has a {found}: remove outputs")
    if outputs is None:
        if found not in ("softmax", "sigmoid", "linear"):
            raise ConvscopeError(
                f"whether the output ({call_of(tensor).operation.name}) is probabilities or logits is not "
                "known: say outputs=probabilities or outputs=logits"
            )
        outputs = "logits" if found == "linear" else "probabilities"
    if outputs == "probabilities":
        return model
    activation = "sigmoid" if tensor.shape[-1] == 1 else "softmax"
    return keras.Model(model.inputs[0], keras.layers.Activation(activation)(tensor), name=model.name)


def probabilities_of(model: keras.Model, pictures: np.ndarray) -> np.ndarray:
    """The probability of each class, float64 (batch, classes), also of a model with one sigmoid unit."""
    output = np.asarray(model.predict_on_batch(pictures), np.float64)
    return np.hstack([1 - output, output]) if output.shape[1] == 1 else output
