"""What stands at the end of a layer or a model: its activation, and what was there before it."""

from typing import Any

import keras
import numpy as np

from convscope.errors import ConvscopeError

_ACTIVATIONS = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "ReLU": "relu",
}  # layers and operations that do nothing else
_SAME_VALUES = ("Reshape", "Flatten", "Squeeze", "Cast", "Dropout", "Identity")


def activation_of(tensor: Any) -> str | None:
    """The activation that a tensor went through last: "softmax", "linear", …; None if not known."""
    operation = _source(tensor)[0]
    kind = type(operation).__name__
    if kind in _ACTIVATIONS:
        return _ACTIVATIONS[kind]
    if kind in _SAME_VALUES:
        return activation_of(_source(tensor)[1])
    activation = getattr(operation, "activation", None)
    if activation is None:
        inner = activation_of(_source(tensor)[1]) if kind == "GlobalAveragePooling2D" else None
        return "linear" if inner in ("linear", "relu") else None
    return getattr(activation, "__name__", None)


def before_activation(tensor: Any) -> Any:
    """A layer's output without the activation that is inside it, in the same graph.

    For a softmax or sigmoid head: the logits. A layer of its own that only activates is passed over;
    one with an activation inside is made again from its config with a linear one and the same weights.
    The model itself is left as it is.
    """
    operation, source = _source(tensor)
    kind = type(operation).__name__
    if kind in _ACTIVATIONS or isinstance(operation, keras.layers.Activation):
        return source
    if kind == "Cast" or (kind in _SAME_VALUES and activation_of(tensor) in ("softmax", "sigmoid")):
        return _again(operation, before_activation(source))
    activation = getattr(operation, "activation", None)
    if activation in (None, keras.activations.linear):
        return tensor
    config = operation.get_config() | {"activation": "linear", "name": f"{operation.name}_linear"}
    linear = type(operation).from_config(config)
    output = linear(source)
    linear.set_weights(operation.get_weights())
    return output


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
                f"whether the output ({_source(tensor)[0].name}) is probabilities or logits is not known: "
                "say outputs=probabilities or outputs=logits"
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


def _source(tensor: Any) -> tuple[Any, Any]:
    """The operation that gives a tensor, and its first input."""
    operation, index, _ = tensor._keras_history
    inputs = operation._inbound_nodes[index].input_tensors
    return operation, inputs[0] if inputs else None


def _again(operation: Any, tensor: Any) -> Any:
    """The same operation on another tensor."""
    if isinstance(operation, keras.layers.Layer):
        return operation(tensor)
    node = operation._inbound_nodes[0]
    args, kwargs = node.arguments.args, node.arguments.kwargs
    return operation(tensor, *args[1:], **kwargs)
