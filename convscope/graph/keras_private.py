"""All private API of Keras that convscope uses: the calls that Keras records on its operations.

Keras records each symbolic call of a layer or operation on the operation itself, and each tensor knows its
call. No public function returns the call of a tensor. `keras.models.clone_model` replays one level of a
model; for a model inside a model, it returns tensors that are not connected to the outer model.
tests/graph/test_keras_private.py has a test for each function: after an upgrade of Keras, they show what
changed.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class RecordedCall:
    """A symbolic call of a layer or operation.

    `args` and `kwargs` are its arguments, `inputs` the tensors among them, `outputs` the returned tensors.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: list[Any]
    outputs: list[Any]

    @property
    def key(self) -> int:
        """An integer that identifies the call as long as its tensors exist."""
        return id(self.outputs[0])


def call_of(tensor: Any) -> RecordedCall:
    """Return the call that returned a symbolic tensor; for an input, a call of its `InputLayer`."""
    operation, index, _ = tensor._keras_history
    node = operation._inbound_nodes[index]
    return RecordedCall(
        operation, node.arguments.args, node.arguments.kwargs, node.input_tensors, node.outputs
    )


def shallow_copy(operation: Any) -> Any:
    """Return a layer or operation with the same variables and attributes, but without recorded calls.

    Calls of the copy are not recorded on the original. The variables are shared: new weights of one are new
    weights of the other.
    """
    copy = object.__new__(type(operation))
    vars(copy).update(vars(operation))
    vars(copy).update(_inbound_nodes=[], _outbound_nodes=[])
    return copy


@contextmanager
def calls_forgotten(layers: Iterable[Any]) -> Iterator[None]:
    """Remove the calls that Keras records on the layers inside the `with` block, when the block ends."""
    recorded = [calls for layer in layers for calls in (layer._inbound_nodes, layer._outbound_nodes)]
    lengths = [len(calls) for calls in recorded]
    try:
        yield
    finally:
        for calls, length in zip(recorded, lengths, strict=True):
            del calls[length:]
