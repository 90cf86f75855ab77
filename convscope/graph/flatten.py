"""Any model as one flat graph: every layer at any depth, by path, from one input.

The calls of the model, and of the models inside it, are replayed on one input, so that each layer has an
output that can be reached. The layers of the graph are shallow copies: they share the weights of the model,
and the model does not change. A layer that computes in 16 bits or with the channels first is replaced by a
copy in float32 with the channels last, which has weights of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from convscope.errors import ConvscopeError
from convscope.graph.adapt import Adapter
from convscope.graph.keras_private import call_of, shallow_copy
from convscope.graph.layer import Layer
from convscope.graph.recording import Recording, ancestors, record

SEPARATOR = "/"  # between a model's name and that of a layer in it, in a path


@dataclass(frozen=True)
class Graph:
    """A model laid flat.

    `model` takes one picture and gives one output; `layers` are all its layers, in graph order; `opaque` are
    the paths of models whose layers cannot be reached, as they are subclassed and do more than call layers.
    """

    model: keras.Model
    layers: list[Layer]
    opaque: list[str]


def flatten(model: keras.Model, *, input_name: str | None = None, output_name: str | None = None) -> Graph:
    """Lay a model flat.

    Args:
        model: functional, Sequential, or subclassed if its `call` only calls layers and Keras operations.
        input_name: which input is the picture, if there are several.
        output_name: which output has the classes, if there are several: the name of its layer.

    Raises:
        ConvscopeError: the model was never built, or which input or output is meant is not clear.
    """
    recording = record(model)
    if recording is None:
        raise ConvscopeError(
            f"the layers of {model.name} cannot be reached: it is a subclassed model that was never called, "
            "or does more than call layers and Keras operations; expected a functional or sequential one"
        )
    adapter = Adapter.of(model)
    inputs = [_fresh_input(tensor, adapter.input_shape(tensor.shape)) for tensor in recording.inputs]
    adapter.names.update(tensor.name for tensor in inputs)
    replay = _Replay(adapter)
    outputs = replay.model(recording, inputs, "")
    chosen = _choose("input", [each.name for each in inputs], input_name)
    output = outputs[_choose("output", recording.output_names, output_name)]
    flat = _connect(inputs, chosen, output)
    entry = _Call(inputs[chosen].name, call_of(inputs[chosen]).operation, inputs[chosen], inputs[chosen])
    reached = ancestors(output)
    calls = [entry, *(each for each in replay.calls if id(each.output) in reached)]
    return Graph(flat, _numbered(_in_order(calls)), replay.opaque)


def at_size(model: keras.Model, shape: tuple[int | None, ...]) -> keras.Model:
    """The same layers on an input of another shape, (height, width, channels), with the same weights."""
    inputs: Any = [keras.Input(shape)]
    if isinstance(model, keras.Function):
        inputs = keras.tree.pack_sequence_as(model.input, inputs)
    return keras.models.clone_model(model, input_tensors=inputs, clone_function=shallow_copy)


@dataclass(frozen=True)
class _Call:
    path: str
    operation: Any
    input: Any
    output: Any


class _Replay:
    """Calls every layer again, those of inner models one by one; `calls` are they, in the models' order."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.calls: list[_Call] = []
        self.opaque: list[str] = []

    def model(self, recording: Recording, inputs: Sequence[Any], prefix: str) -> list[Any]:
        """Replay a model on other tensors and return its outputs.

        Its calls come in the order of its layers, not of the recursion.
        """
        before, self.calls = self.calls, []
        of: dict[int, list[_Call]] = {}
        tensors = dict(zip(map(id, recording.inputs), inputs, strict=True))
        for call in recording.calls:
            args, kwargs = keras.tree.map_structure(lambda x: tensors.get(id(x), x), (call.args, call.kwargs))
            self.calls = []
            outputs = self._operation(call.operation, prefix, args, kwargs)
            of.setdefault(id(call.operation), []).extend(self.calls)
            tensors.update(zip(map(id, call.outputs), outputs, strict=True))
        self.calls = before + [
            each for operation in recording.operations for each in of.get(id(operation), [])
        ]
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
        self.calls.append(_Call(path, operation, args[0] if args else None, outputs[0]))
        return outputs


def _fresh_input(tensor: Any, shape: tuple[int | None, ...]) -> Any:
    return keras.Input(shape[1:], name=call_of(tensor).operation.name)


def _choose(what: str, names: Sequence[str], wanted: str | None) -> int:
    if wanted is not None and wanted in names:
        return list(names).index(wanted)
    if wanted is None and len(names) == 1:
        return 0
    said = "" if wanted is None else f", none of them {wanted!r}"
    raise ConvscopeError(
        f"the model has the {what}s {', '.join(names)}{said}: say which one is meant with {what}=NAME"
    )


def _connect(inputs: Sequence[Any], chosen: int, output: Any) -> keras.Model:
    needed = ancestors(output)
    others = [each.name for index, each in enumerate(inputs) if index != chosen and id(each) in needed]
    if others:
        raise ConvscopeError(
            f"the output depends on {', '.join(others)} too: expected one that the picture alone decides"
        )
    if id(inputs[chosen]) not in needed:
        raise ConvscopeError(f"the output does not depend on the input {inputs[chosen].name}")
    return keras.Model(inputs[chosen], output, name="flat")


def _numbered(calls: Sequence[_Call]) -> list[Layer]:
    """The layers among the calls, with unique paths and their places."""
    times: dict[str, int] = {}
    result: list[Layer] = []
    place: dict[int, int] = {}  # of the layer that gives a tensor
    for call in calls:
        if not isinstance(call.operation, keras.layers.Layer):
            continue
        times[call.path] = times.get(call.path, 0) + 1
        path = call.path if times[call.path] == 1 else f"{call.path}@{times[call.path]}"
        shape = tuple(call.output.shape[1:])
        place[id(call.output)] = len(result)
        result.append(Layer(len(result), path, call.operation, shape, call.input, call.output))
    return [replace(layer, sources=_sources(layer, place)) for layer in result]


def _in_order(calls: Sequence[_Call]) -> list[_Call]:
    """The calls as they are, but each after those that it gets its input from."""
    giver = {id(tensor): call for call in calls for tensor in call_of(call.output).outputs}
    result: list[_Call] = []
    done: set[int] = set()
    for call in calls:
        left = [call]
        while left:
            before = [giver.get(id(tensor)) for tensor in call_of(left[-1].output).inputs]
            waiting = [each for each in before if each is not None and id(each) not in done]
            if waiting:
                left.append(waiting[0])
                continue
            ready = left.pop()
            if id(ready) not in done:
                done.add(id(ready))
                result.append(ready)
    return result


def _sources(layer: Layer, place: dict[int, int]) -> tuple[int, ...]:
    """The layers next before a layer; operations that are no layers are looked through."""
    found, left = set(), list(call_of(layer.output).inputs)
    while left:
        tensor = left.pop()
        if id(tensor) in place:
            found.add(place[id(tensor)])
        else:
            left += call_of(tensor).inputs
    return tuple(sorted(found))
