"""Any model as one flat graph: every layer at any depth has a path and a tensor.

The calls of the model and of its inner models are replayed on new inputs. The layers of the graph are shallow
copies: they share the weights of the model, and the model does not change. A layer that computes in 16 bits
or with the channels first is replaced by a copy in float32 with the channels last, with its own weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from convscope.errors import ConvscopeError
from convscope.graph.adapt import Adapter
from convscope.graph.keras_private import call_of
from convscope.graph.layer import Layer
from convscope.graph.recording import Recording, ancestors, record

SEPARATOR = "/"  # in a layer path, between the name of a model and the name of its layer


@dataclass(frozen=True)
class Graph:
    """A model as one flat graph.

    `model` has one picture as its input, and one output. `layers` are all layers in topological order.
    `opaque` are the paths of inner models without visible layers: subclassed models whose `call` does more
    than call layers. Each of them is one layer of the graph.
    """

    model: keras.Model
    layers: list[Layer]
    opaque: list[str]


def flatten(model: keras.Model, *, input_name: str | None = None, output_name: str | None = None) -> Graph:
    """Return the flat graph of a model. The graph shares the weights of the model; the model does not change.

    Args:
        model: a functional or sequential model, or a subclassed one whose `call` only calls layers and
            operations of Keras.
        input_name: name of the input for the picture, if the model has several inputs.
        output_name: name of the layer that returns the classes, if the model has several outputs.

    Raises:
        ConvscopeError: the model is not built, its layers cannot be reached, or it has several inputs or
            outputs and no valid name was given.
    """
    recording = record(model)
    if recording is None:
        raise ConvscopeError(
            f"cannot reach the layers of {model.name}: it is a subclassed model that was never called, or "
            "its call method does more than call layers and Keras operations; expected a functional or "
            "sequential model"
        )
    adapter = Adapter.for_model(model)
    inputs = [_new_input(tensor, adapter.input_shape(tensor.shape)) for tensor in recording.inputs]
    adapter.names.update(tensor.name for tensor in inputs)
    replay = _Replay(adapter)
    outputs = replay.model(recording, inputs, "")
    picture = _choose("input", [tensor.name for tensor in inputs], input_name)
    output = outputs[_choose("output", recording.output_names, output_name)]
    flat = _connect(inputs, picture, output)
    tensor = inputs[picture]
    entry = _ReplayedCall(tensor.name, call_of(tensor).operation, tensor, tensor)
    used = ancestors(output)
    calls = [entry, *(call for call in replay.calls if id(call.output) in used)]
    return Graph(flat, _layers(_sorted(calls)), replay.opaque)


@dataclass(frozen=True)
class _ReplayedCall:
    path: str
    operation: Any
    input: Any
    output: Any


class _Replay:
    """Calls copies of all layers of a model and its inner models; `calls` are in the order of the layers."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.calls: list[_ReplayedCall] = []
        self.opaque: list[str] = []

    def model(self, recording: Recording, inputs: Sequence[Any], prefix: str) -> list[Any]:
        """Replay a model on other tensors and return its outputs.

        Calls run in topological order; `calls` lists them in the order of the model's layers.
        """
        earlier = self.calls
        by_operation: dict[int, list[_ReplayedCall]] = {}
        tensors = dict(zip(map(id, recording.inputs), inputs, strict=True))
        for call in recording.calls:
            args, kwargs = keras.tree.map_structure(lambda x: tensors.get(id(x), x), (call.args, call.kwargs))
            self.calls = []
            outputs = self._operation(call.operation, prefix, args, kwargs)
            by_operation.setdefault(id(call.operation), []).extend(self.calls)
            tensors.update(zip(map(id, call.outputs), outputs, strict=True))
        self.calls = list(earlier)
        for operation in recording.operations:
            self.calls += by_operation.get(id(operation), [])
        return [tensors[id(tensor)] for tensor in recording.outputs]

    def _operation(self, operation: Any, prefix: str, args: Any, kwargs: Any) -> list[Any]:
        path = prefix + operation.name
        if isinstance(operation, keras.Model):
            inner = record(operation)
            if inner is not None:
                return self.model(inner, keras.tree.flatten(args), path + SEPARATOR)
            self.opaque.append(path)
        operation = self.adapter.adapted(operation, path, args, kwargs)
        outputs = keras.tree.flatten(operation(*args, **kwargs))
        self.calls.append(_ReplayedCall(path, operation, args[0] if args else None, outputs[0]))
        return outputs


def _new_input(tensor: Any, shape: tuple[int | None, ...]) -> Any:
    return keras.Input(shape[1:], name=call_of(tensor).operation.name)


def _choose(kind: str, names: Sequence[str], wanted: str | None) -> int:
    """Return the index of the input or output with the wanted name; without a name, of the only one."""
    if wanted is not None and wanted in names:
        return list(names).index(wanted)
    if wanted is None and len(names) == 1:
        return 0
    received = f"{kind}={wanted}: " if wanted is not None else ""
    raise ConvscopeError(f"{received}the model has the {kind}s {', '.join(names)}; set {kind}=NAME")


def _connect(inputs: Sequence[Any], picture: int, output: Any) -> keras.Model:
    """Return the model from the input with the index `picture` to the output."""
    used = ancestors(output)
    others = [tensor.name for tensor in inputs if tensor is not inputs[picture] and id(tensor) in used]
    if others:
        raise ConvscopeError(
            f"the output also depends on the input {', '.join(others)}: expected an output that depends on "
            "the picture only"
        )
    if id(inputs[picture]) not in used:
        raise ConvscopeError(
            f"the output does not depend on the input {inputs[picture].name}: set input=NAME"
        )
    return keras.Model(inputs[picture], output, name="flat")


def _layers(calls: Sequence[_ReplayedCall]) -> list[Layer]:
    """Return the layers among the calls, with unique paths, indices, and the indices of their sources."""
    times: dict[str, int] = {}
    result: list[Layer] = []
    index_by_tensor: dict[int, int] = {}
    for call in calls:
        if not isinstance(call.operation, keras.layers.Layer):
            continue
        times[call.path] = times.get(call.path, 0) + 1
        path = call.path if times[call.path] == 1 else f"{call.path}@{times[call.path]}"
        shape = tuple(call.output.shape[1:])
        index_by_tensor[id(call.output)] = len(result)
        result.append(Layer(len(result), path, call.operation, shape, call.input, call.output))
    return [replace(layer, sources=_sources(layer, index_by_tensor)) for layer in result]


def _sorted(calls: Sequence[_ReplayedCall]) -> list[_ReplayedCall]:
    """Sort the calls topologically; the order of independent calls stays the same."""
    producers = {id(tensor): call for call in calls for tensor in call_of(call.output).outputs}
    result: list[_ReplayedCall] = []
    done: set[int] = set()
    for first in calls:
        stack = [first]
        while stack:
            sources = [producers.get(id(tensor)) for tensor in call_of(stack[-1].output).inputs]
            waiting = [call for call in sources if call is not None and id(call) not in done]
            if waiting:
                stack.append(waiting[0])
                continue
            ready = stack.pop()
            if id(ready) not in done:
                done.add(id(ready))
                result.append(ready)
    return result


def _sources(layer: Layer, index_by_tensor: dict[int, int]) -> tuple[int, ...]:
    """Return the indices of the layers directly before a layer; other operations between are ignored."""
    indices, stack = set(), list(call_of(layer.output).inputs)
    while stack:
        tensor = stack.pop()
        if id(tensor) in index_by_tensor:
            indices.add(index_by_tensor[id(tensor)])
        else:
            stack += call_of(tensor).inputs
    return tuple(sorted(indices))
