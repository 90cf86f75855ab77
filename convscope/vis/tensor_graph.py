"""The calls behind the tensors of a functional model, which Keras keeps records of."""

from typing import Any

from convscope.graph.keras_private import call_of


def others_needed(tensor: Any, output: Any) -> list[Any]:
    """Return the tensors that, together with `tensor`, are enough to compute `output`.

    They are the inputs of the calls between the two that do not depend on `tensor` themselves: the other
    branches where `tensor` is inside of one, nothing where all paths lead through it.
    """
    depends = {id(tensor): True}  # by the id of a tensor
    others: dict[int, Any] = {}
    waiting = [output]
    while waiting:
        inputs = call_of(waiting[-1]).inputs
        missing = [each for each in inputs if id(each) not in depends]
        if missing:
            waiting += missing
            continue
        current = waiting.pop()
        if id(current) not in depends:
            depends[id(current)] = any(depends[id(each)] for each in inputs)
            if depends[id(current)]:
                others |= {id(each): each for each in inputs if not depends[id(each)]}
    return list(others.values())
