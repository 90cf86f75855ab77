"""Receptive fields: which part of a picture a place in a feature map can see.

A. Araujo, W. Norris, J. Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill (2019).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from convscope.graph import Layer

_SEES_WHOLE = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Flatten,
)
_POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
# What gives each place what it gets at that place.
_IN_PLACE = (
    "Activation", "Add", "Average", "BatchNormalization", "Concatenate", "Dense", "Dropout", "ELU",
    "GaussianDropout", "GaussianNoise", "GroupNormalization", "Identity", "InputLayer",
    "LayerNormalization", "LayerScale", "LeakyReLU", "Maximum", "Minimum", "Multiply", "Normalization",
    "PReLU", "ReLU", "Rescaling", "Softmax", "SpatialDropout2D", "StochasticDepth", "Subtract",
)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """Along one side of the picture: place i sees pixels from `start + i * stride` on, `size` of them."""

    start: float = 0.0
    size: float = 1.0
    stride: float = 1.0


@dataclass(frozen=True)
class ReceptiveField:
    """What a place sees of the picture, along its height and its width; it may reach past the border."""

    height: Axis
    width: Axis

    def window(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Top, left, bottom and right of what the place sees, in pixels; the last two are exclusive."""
        top = self.height.start + row * self.height.stride
        left = self.width.start + column * self.width.stride
        return top, left, top + self.height.size, left + self.width.size


def receptive_fields(layers: Sequence[Layer]) -> list[ReceptiveField | None]:
    """That of each layer of a flat graph, in order.

    None where a place sees the whole picture (after global pooling, in a dense layer), or where what the
    layer does is not known. Gates that weigh whole channels (squeeze and excitation) are not counted: through
    them every place depends on all of the picture, though only by a factor.
    """
    result: list[ReceptiveField | None] = []
    for layer in layers:
        before = [result[source] for source in layer.sources]
        result.append(_after(layer, before))
    return result


def _after(layer: Layer, before: Sequence[ReceptiveField | None]) -> ReceptiveField | None:
    if not layer.sources:
        return ReceptiveField(Axis(), Axis())
    if not layer.has_maps or isinstance(layer.keras_layer, _SEES_WHOLE):
        return None
    known = [each for each in before if each is not None]
    if not known:
        return None
    shape = _first_shape(layer.input)
    both = (_union([each.height for each in known]), _union([each.width for each in known]))
    axes = [_through(layer.keras_layer, axis, number, shape) for number, axis in enumerate(both)]
    if axes[0] is None or axes[1] is None:
        return None
    return ReceptiveField(axes[0], axes[1])


def _union(axes: Sequence[Axis]) -> Axis:
    start = min(axis.start for axis in axes)
    end = max(axis.start + axis.size for axis in axes)
    return Axis(start, end - start, max(axis.stride for axis in axes))


def _through(layer: keras.layers.Layer, axis: Axis, number: int, shape: Sequence[int | None]) -> Axis | None:
    """What a layer makes of an axis: number 0 is the height, 1 the width."""
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return _transposed(layer, axis, number)
    if isinstance(layer, _CONVOLUTIONS):
        window = (layer.kernel_size[number] - 1) * layer.dilation_rate[number] + 1
        return _windowed(axis, window, layer.strides[number], layer.padding, shape[1 + number])
    if isinstance(layer, _POOLINGS):
        return _windowed(
            axis, layer.pool_size[number], layer.strides[number], layer.padding, shape[1 + number]
        )
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return Axis(axis.start - layer.padding[number][0] * axis.stride, axis.size, axis.stride)
    if isinstance(layer, keras.layers.Cropping2D):
        return Axis(axis.start + layer.cropping[number][0] * axis.stride, axis.size, axis.stride)
    if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "nearest":
        return Axis(axis.start, axis.size, axis.stride / layer.size[number])
    if type(layer).__name__ in _IN_PLACE:
        return axis
    return None


def _windowed(axis: Axis, window: int, step: int, padding: str, side: int | None) -> Axis:
    """A window that is moved over the map in steps; `same` pads more after it than before."""
    before = 0.0
    if padding == "same":
        if side is None:  # as for a side that the step divides
            total = max(window - step, 0)
        else:
            total = max((math.ceil(side / step) - 1) * step + window - side, 0)
        before = total // 2
    start = axis.start - before * axis.stride
    return Axis(start, axis.size + (window - 1) * axis.stride, axis.stride * step)


def _transposed(layer: keras.layers.Conv2DTranspose, axis: Axis, number: int) -> Axis:
    """Each input is spread over a window: a place sees the inputs whose windows reach it, at most so many."""
    window, step = layer.kernel_size[number], layer.strides[number]
    reach = math.ceil(window / step) - 1
    before = max(window - step, 0) // 2 if layer.padding == "same" else 0
    start = axis.start - reach * axis.stride + before * axis.stride / step
    return Axis(start, axis.size + reach * axis.stride, axis.stride / step)


def _first_shape(tensors: object) -> tuple[int | None, ...]:
    return tuple(keras.tree.flatten(tensors)[0].shape)
