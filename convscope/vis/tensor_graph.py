"""Dependences between the tensors of a functional model."""

from typing import Any

from convscope.graph.keras_private import call_of


def others_needed(tensor: Any, output: Any) -> list[Any]:
    """Return the tensors that, together with `tensor`, are enough to compute `output`.

    They are inputs of calls between `tensor` and `output`, and do not depend on `tensor`: the other branches
    if `tensor` is in a branch, and an empty list if all paths to `output` lead through `tensor`.
    """
    depends = {id(tensor): True}  # by the id of a tensor
    others: dict[int, Any] = {}
    waiting = [output]
    while waiting:
        inputs = call_of(waiting[-1]).inputs
        missing = [source for source in inputs if id(source) not in depends]
        if missing:
            waiting += missing
            continue
        current = waiting.pop()
        if id(current) not in depends:
            depends[id(current)] = any(depends[id(source)] for source in inputs)
            if depends[id(current)]:
                others |= {id(source): source for source in inputs if not depends[id(source)]}
    return list(others.values())
