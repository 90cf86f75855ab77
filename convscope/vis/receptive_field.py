"""Receptive fields: the part of a picture that a position in a feature map depends on.

A. Araujo, W. Norris, J. Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill (2019).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convscope.graph import Layer
from convscope.graph.keras_private import call_of
from convscope.vis.operation_window import IN_PLACE, Axis, keras_class, window_of

__all__ = ["Axis", "ReceptiveField", "receptive_fields"]


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels that a position depends on, along height and width; some may lie outside the picture."""

    height: Axis = Axis()
    width: Axis = Axis()

    def window(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Return top, left, bottom and right of a position's field in pixels; bottom, right are exclusive."""
        top = self.height.start + row * self.height.stride
        left = self.width.start + column * self.width.stride
        return top, left, top + self.height.size, left + self.width.size


def receptive_fields(layers: Sequence[Layer]) -> list[ReceptiveField | None]:
    """Return the receptive field of each layer of a flat graph, in order.

    A field is None if a position depends on the whole picture (after global pooling, in a dense layer), or if
    an operation before it is unknown: a class from outside Keras, or a function of `keras.ops` that moves or
    mixes positions. A class derived from a layer of Keras is known if its gradient agrees with the window.

    Two dependences on the whole picture are ignored, because they scale or shift whole channels: gates
    (squeeze and excitation: maps times a map of a single position), and normalization by the statistics of
    the picture (group and layer normalization).
    """
    fields: dict[int, ReceptiveField | None] = {}  # by the id of a tensor
    for layer in layers:
        waiting = [layer.output]
        while waiting:
            missing = [tensor for tensor in call_of(waiting[-1]).inputs if id(tensor) not in fields]
            if missing:
                waiting += missing
            else:
                tensor = waiting.pop()
                fields[id(tensor)] = _field(tensor, fields)
    return [fields[id(layer.output)] for layer in layers]


def _field(tensor: Any, fields: dict[int, ReceptiveField | None]) -> ReceptiveField | None:
    """Return the field of a tensor from the fields of the inputs of its call."""
    call = call_of(tensor)
    if len(tensor.shape) != 4 or any(len(source.shape) != 4 for source in call.inputs):
        return None
    if not call.inputs:  # the picture
        return ReceptiveField()
    inputs = _without_gates(call, tensor)
    input_fields = [fields[id(source)] for source in inputs]
    known = [field for field in input_fields if field is not None]
    windows = window_of(call.operation, call.args, tuple(inputs[0].shape))
    if windows is None or len(known) < len(input_fields):
        return None
    sides = {tuple(source.shape[1:3]) for source in inputs}
    if windows is IN_PLACE and sides != {tuple(tensor.shape[1:3])}:
        return None  # broadcasting repeats the values of one position at others
    if windows is not IN_PLACE and len(call.inputs) > 1:
        return None  # the kernel of the convolution depends on the picture
    height, width = _union([field.height for field in known]), _union([field.width for field in known])
    if height is None or width is None:
        return None
    return ReceptiveField(height.then(windows[0]), width.then(windows[1]))


def _union(axes: Sequence[Axis]) -> Axis | None:
    """Return the smallest window that contains those of all branches, None if their strides differ."""
    stride = axes[0].stride
    if not all(math.isclose(axis.stride, stride) for axis in axes):
        return None
    start = min(axis.start for axis in axes)
    end = max(axis.start + axis.size for axis in axes)
    return Axis(start, end - start, stride)


def _without_gates(call: Any, output: Any) -> list[Any]:
    """Return the inputs of a call; for a product, without inputs that scale whole channels."""
    inputs = list(call.inputs)
    if keras_class(call.operation) != "Multiply" or tuple(output.shape[1:3]) == (1, 1):
        return inputs
    return [tensor for tensor in inputs if tuple(tensor.shape[1:3]) != (1, 1)] or inputs
