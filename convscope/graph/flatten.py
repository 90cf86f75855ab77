"""Any functional model as one flat graph: every layer at any depth, by path, from one input.

Models inside models are replayed: their layers are called again on the outer input's tensors, so that
each has an output that can be reached. Weights are shared, and the model itself stays as it is. What
computes in 16 bits or with the channels first is replayed as a copy that does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from convscope.errors import ConvscopeError
from convscope.graph.adapt import Adapter
from convscope.graph.layer import Layer

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
    functional = _functional(model)
    if functional is None:
        raise ConvscopeError(
            f"the layers of {model.name} cannot be reached: it is a subclassed model that was never called, "
            "or does more than call layers and Keras operations; expected a functional or sequential one"
        )
    adapter = Adapter.of(functional)
    inputs = [_fresh_input(tensor, adapter.input_shape(tensor.shape)) for tensor in functional.inputs]
    replay = _Replay(adapter)
    structure = keras.tree.pack_sequence_as(functional._inputs_struct, inputs)
    outputs = keras.tree.flatten(replay.functional(functional, structure, ""))
    chosen = _choose("input", [each.name for each in inputs], input_name)
    names = [each._keras_history.operation.name for each in functional.outputs]
    output = outputs[_choose("output", names, output_name)]
    flat = _connect(inputs, chosen, output)
    entry = _Call(
        inputs[chosen].name, inputs[chosen]._keras_history.operation, inputs[chosen], inputs[chosen]
    )
    reached = _ancestors(output)
    calls = [entry, *(each for each in replay.calls if id(each.output) in reached)]
    return Graph(flat, _numbered(_in_order(calls)), replay.opaque)


def at_size(model: keras.Model, shape: tuple[int | None, ...]) -> keras.Model:
    """The same layers on an input of another shape, (height, width, channels), with the same weights."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, model._run_through_graph(inputs, call_fn=lambda op, *a, **k: op(*a, **k)))


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

    def functional(self, model: Any, inputs: Any, prefix: str) -> Any:
        """Replay a functional model; its calls come in the order of its layers, not of the recursion."""
        before, self.calls = self.calls, []
        of: dict[int, list[_Call]] = {}

        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            outer, self.calls = self.calls, []
            outputs = self._operation(operation, prefix, args, kwargs)
            of.setdefault(id(operation), []).extend(self.calls)
            self.calls = outer
            return outputs

        outputs = model._run_through_graph(inputs, call_fn=call)
        self.calls = before + [each for operation in model.operations for each in of.get(id(operation), [])]
        return outputs

    def _operation(self, operation: Any, prefix: str, args: Any, kwargs: Any) -> Any:
        path = prefix + operation.name
        if isinstance(operation, keras.Model):
            inner = _functional(operation)
            if inner is not None:
                return self.functional(inner, args[0], path + SEPARATOR)
            self.opaque.append(path)
        operation = self.adapter.adapted(operation, args, kwargs)
        outputs = operation(*args, **kwargs)
        tensors = keras.tree.flatten(outputs)
        self.calls.append(_Call(path, operation, args[0] if args else None, tensors[0]))
        return outputs


def _functional(model: keras.Model) -> Any:
    """The functional model that a model is, or is made of, or can be traced as; None if there is none."""
    own_call = not type(model).call.__module__.startswith("keras.")
    if hasattr(model, "_run_through_graph") and not own_call:
        return model
    if isinstance(model, keras.Sequential) and not own_call:
        if not model.built or not model.layers:
            raise ConvscopeError(
                f"the sequential model {model.name} was never built, so that its input is not known: "
                "expected one that begins with an Input, or was called before it was saved"
            )
        outputs = inputs = _fresh_input(model.inputs[0], model.inputs[0].shape)
        for layer in model.layers:
            outputs = layer(outputs)
        return keras.Model(inputs, outputs)
    return _traced(model)


def _traced(model: keras.Model) -> keras.Model | None:
    """A subclassed model as a functional one, by calling it on symbolic tensors; None if that fails."""
    shapes = list((getattr(model, "_build_shapes_dict", None) or {}).values())
    if len(shapes) != 1 or not isinstance(shapes[0], tuple):
        return None
    inputs = keras.Input(shapes[0][1:])
    try:
        outputs = model.call(inputs)
        return keras.Model(inputs, outputs)
    except Exception:
        return None  # TensorFlow's own operations, Python's branches: nothing that can be traced


def _fresh_input(tensor: Any, shape: tuple[int | None, ...]) -> Any:
    return keras.Input(shape[1:], name=tensor._keras_history.operation.name)


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
    needed = _ancestors(output)
    others = [each.name for index, each in enumerate(inputs) if index != chosen and id(each) in needed]
    if others:
        raise ConvscopeError(
            f"the output depends on {', '.join(others)} too: expected one that the picture alone decides"
        )
    if id(inputs[chosen]) not in needed:
        raise ConvscopeError(f"the output does not depend on the input {inputs[chosen].name}")
    return keras.Model(inputs[chosen], output, name="flat")


def _ancestors(tensor: Any) -> set[int]:
    """The ids of all tensors that a tensor is computed from, and its own."""
    found, left = set(), [tensor]
    while left:
        each = left.pop()
        if id(each) in found:
            continue
        found.add(id(each))
        found.update(id(other) for other in _node_of(each).outputs)
        left += _inputs_of(each)
    return found


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
    giver = {id(tensor): call for call in calls for tensor in _node_of(call.output).outputs}
    result: list[_Call] = []
    done: set[int] = set()
    for call in calls:
        left = [call]
        while left:
            before = [giver.get(id(tensor)) for tensor in _inputs_of(left[-1].output)]
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
    found, left = set(), list(_inputs_of(layer.output))
    while left:
        tensor = left.pop()
        if id(tensor) in place:
            found.add(place[id(tensor)])
        else:
            left += _inputs_of(tensor)
    return tuple(sorted(found))


def _inputs_of(tensor: Any) -> list[Any]:
    return _node_of(tensor).input_tensors


def _node_of(tensor: Any) -> Any:
    """The call that gives a tensor, as Keras keeps it."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]
