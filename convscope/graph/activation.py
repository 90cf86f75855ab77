"""The activation at the end of a layer or a model, and the values before it."""

from itertools import count
from typing import Any

import keras
import numpy as np
import scipy.special

from convscope.errors import ConvscopeError
from convscope.graph.keras_private import call_of, shallow_copy

_ACTIVATION_LAYERS = {keras.layers.Softmax: "softmax", keras.layers.ReLU: "relu"}
_ACTIVATION_OPERATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "Relu": "relu"}  # not public classes
_SAME_VALUES_LAYERS = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Dropout,
    keras.layers.Identity,
)
_COPIES = count(1)  # Keras refuses a model with two operations of one name
_SAME_VALUES_OPERATIONS = ("Reshape", "Flatten", "Squeeze", "Cast", "Identity")


def activation_of(tensor: Any) -> str | None:
    """Return the name of the last activation before a tensor, such as "softmax", or None if it is unknown."""
    call = call_of(tensor)
    operation = call.operation
    only_activation = _activation_alone(operation)
    if only_activation is not None:
        return only_activation
    if _keeps_values(operation):
        return activation_of(call.inputs[0])
    activation = getattr(operation, "activation", None)
    if activation is None:
        pools = isinstance(operation, keras.layers.GlobalAveragePooling2D)
        return "linear" if pools and activation_of(call.inputs[0]) in ("linear", "relu") else None
    return getattr(activation, "__name__", None)


def before_activation(tensor: Any) -> Any:
    """Return the output of a layer without its activation, in the same graph: for a classifier, the logits.

    A layer that is only an activation is skipped. A layer with an activation inside is replaced by a shallow
    copy with a linear activation, which shares its weights and has another name in each call. The model does
    not change.
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
    vars(linear).update(activation=keras.activations.linear, name=f"{operation.name}_linear_{next(_COPIES)}")
    return linear(*call.args, **call.kwargs)


def _activation_alone(operation: Any) -> str | None:
    """Return the activation of a layer or operation that is only an activation, None for others."""
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
    """Return a model that returns probabilities: logits get a softmax, or a sigmoid if there is one unit.

    Args:
        model: a model with one output (batch, classes).
        outputs: "probabilities" or "logits"; None decides by the last activation.

    Raises:
        ConvscopeError: the last activation is unknown or contradicts `outputs`, or the output has another
            shape.
    """
    tensor = model.outputs[0]
    if len(tensor.shape) != 2 or tensor.shape[-1] is None:
        raise ConvscopeError(f"the output has the shape {tuple(tensor.shape)}: expected (batch, classes)")
    last = activation_of(tensor)
    if outputs == "logits" and last in ("softmax", "sigmoid"):
        raise ConvscopeError(f"outputs=logits, but the last layer has a {last}: remove outputs")
    if outputs is None:
        if last not in ("softmax", "sigmoid", "linear"):
            raise ConvscopeError(
                f"unknown activation of the output layer {call_of(tensor).operation.name}: set "
                "outputs=probabilities or outputs=logits"
            )
        outputs = "logits" if last == "linear" else "probabilities"
    if outputs == "probabilities":
        return model
    activation = "sigmoid" if tensor.shape[-1] == 1 else "softmax"
    return keras.Model(model.inputs[0], keras.layers.Activation(activation)(tensor), name=model.name)


def features_of(model: keras.Model) -> Any:
    """Return the symbolic input of the layer that computes the logits, (batch, …)."""
    return call_of(before_activation(model.outputs[0])).inputs[0]


def probabilities_of(model: keras.Model, pictures: np.ndarray) -> np.ndarray:
    """Return the probability of each class, float64 (batch, classes); made for many batches of one size."""
    return of_each_class(model.predict_on_batch(pictures))


def of_logits(logits: np.ndarray, activation: str | None) -> np.ndarray:
    """Return the probability of each class, float64 (batch, classes).

    Args:
        logits: the values of `before_activation`, (batch, logits).
        activation: the name of the model's last activation, from `activation_of`. Without a softmax or a
            sigmoid, the values are probabilities already.
    """
    values = np.asarray(logits, np.float64)
    if activation == "softmax":
        return scipy.special.softmax(values, axis=-1)
    return of_each_class(scipy.special.expit(values) if activation == "sigmoid" else values)


def of_each_class(output: Any) -> np.ndarray:
    """Return a model's output (batch, classes) as probabilities of each class, float64 (batch, classes).

    A single sigmoid unit is the probability of the second of two classes.
    """
    values = np.asarray(output, np.float64)
    return np.hstack([1 - values, values]) if values.shape[1] == 1 else values
