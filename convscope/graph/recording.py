"""The recorded calls of a model: the layers that it calls, their tensors, and their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from convscope.errors import ConvscopeError
from convscope.graph.keras_private import RecordedCall, call_of, calls_forgotten


@dataclass(frozen=True)
class Recording:
    """The calls of a model, from its inputs to its outputs.

    `calls` are in the order in which Keras runs them, `operations` in the order of `model.layers`.
    """

    inputs: list[Any]
    outputs: list[Any]
    output_names: list[str]
    calls: list[RecordedCall]
    operations: list[Any]


def record(model: keras.Model) -> Recording | None:
    """Return the calls of a model, None if they are unknown.

    They are known for functional and sequential models, and for subclassed models whose `call` only calls
    layers and operations of Keras.

    Raises:
        ConvscopeError: a sequential model is not built.
    """
    own_call = not type(model).call.__module__.startswith("keras.")
    if isinstance(model, keras.Function) and not own_call:
        return _of_functional(model)
    if isinstance(model, keras.Sequential) and not own_call:
        return _of_sequential(model)
    return _of_subclassed(model)


def _of_functional(model: Any) -> Recording:
    calls = [call for call in _calls_of(model.outputs) if call.inputs]
    return Recording(model.inputs, model.outputs, model.output_names, calls, model.operations)


def _of_sequential(model: keras.Sequential) -> Recording:
    if not model.built or not model.layers:
        raise ConvscopeError(
            f"the sequential model {model.name} is not built: add keras.Input as its first layer, or call "
            "the model before you save it"
        )
    calls, tensor = [], model.inputs[0]
    for layer in model.layers:
        output = keras.KerasTensor((None,))  # only stands for the tensor that the layer returns
        calls.append(RecordedCall(layer, (tensor,), {}, [tensor], [output]))
        tensor = output
    return Recording([model.inputs[0]], [tensor], [model.layers[-1].name], calls, model.layers)


def _of_subclassed(model: keras.Model) -> Recording | None:
    """Call the model on a symbolic input; return None if that fails."""
    shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, list | tuple) or not all(isinstance(side, int | None) for side in shape):
        return None
    with calls_forgotten(model.layers):
        inputs = keras.Input(tuple(shape[1:]))
        try:
            return _of_functional(keras.Model(inputs, model.call(inputs)))
        except Exception:
            return None  # operations of TensorFlow and branches of Python are not symbolic


def ancestors(tensor: Any) -> set[int]:
    """Return the ids of a tensor and of all tensors that it is computed from."""
    calls = _topological([tensor])
    return {id(output) for call in calls for output in call.outputs}


def _topological(outputs: Sequence[Any]) -> list[RecordedCall]:
    """Return the calls that lead to tensors, in topological order."""
    result: dict[int, RecordedCall] = {}
    stack = [call_of(tensor) for tensor in reversed(outputs)]
    while stack:
        waiting = [call for call in map(call_of, stack[-1].inputs) if call.key not in result]
        if waiting:
            stack.append(waiting[0])
        else:
            call = stack.pop()
            result.setdefault(call.key, call)
    return list(result.values())


def _calls_of(outputs: Sequence[Any]) -> list[RecordedCall]:
    """Return the calls that lead to tensors in the order of Keras: the farthest from the outputs first.

    If a layer is called twice, this order decides which call is the first.
    """
    calls = {call.key: call for call in _topological(outputs)}
    depths: dict[int, int] = {}
    of_operation: dict[int, int] = {}  # by the id of an operation, the largest depth of its calls so far
    for key, call in reversed(calls.items()):
        depth = max(depths.setdefault(key, 0), of_operation.get(id(call.operation), 0))
        depths[key] = of_operation[id(call.operation)] = depth
        for tensor in call.inputs:
            source = call_of(tensor).key
            depths[source] = max(depth + 1, depths.get(source, 0))
    return [calls[key] for key in sorted(depths, key=lambda key: -depths[key])]
