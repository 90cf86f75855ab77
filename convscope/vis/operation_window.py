"""Windows of operations: the input positions that one output position of an operation depends on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from convscope.vis.gradients import value_and_gradient

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
_POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
# Layers whose output position depends on the same position of the input only. Augmentation layers do nothing
# outside training. For normalization, see `receptive_fields`.
_IN_PLACE = (
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.AlphaDropout,
    keras.layers.Average,
    keras.layers.BatchNormalization,
    keras.layers.Concatenate,
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.ELU,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.GroupNormalization,
    keras.layers.Identity,
    keras.layers.LayerNormalization,
    keras.layers.LeakyReLU,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Multiply,
    keras.layers.Normalization,
    keras.layers.PReLU,
    keras.layers.RandomBrightness,
    keras.layers.RandomContrast,
    keras.layers.RandomFlip,
    keras.layers.RandomRotation,
    keras.layers.RandomTranslation,
    keras.layers.RandomZoom,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Softmax,
    keras.layers.SpatialDropout2D,
    keras.layers.Subtract,
)
# Such classes that Keras does not export: the operations behind `keras.ops`, and layers of its applications.
_IN_PLACE_NAMES = frozenset(
    (
        "Absolute", "Add", "Cast", "Celu", "Clip", "Concatenate", "Divide", "Elu", "Erf", "Exp", "Expm1",
        "Gelu", "HardSigmoid", "HardSilu", "HardTanh", "LayerScale", "LeakyRelu", "Log", "Log1p", "Log2",
        "LogSigmoid", "LogSoftmax", "Maximum", "Minimum", "Multiply", "Negative", "Power", "Reciprocal",
        "Relu", "Relu6", "Rsqrt", "Selu", "Sigmoid", "Sign", "Silu", "Softmax", "Softplus", "Softsign",
        "Sqrt", "Square", "StochasticDepth", "StopGradient", "Subtract", "Tanh", "TrueDivide", "Where",
    )
)  # fmt: skip
_OPEN_SIDE = 64  # positions along a side of unknown length, for the test with noise
_LAST_AXIS = (-1, 3)


@dataclass(frozen=True)
class Axis:
    """A window along one side: output position i depends on `size` positions from `start + i * stride`.

    The unit is a position of the input: a pixel if the input is the picture.
    """

    start: float = 0.0
    size: float = 1.0
    stride: float = 1.0

    def then(self, window: "Axis") -> "Axis":
        """Return the window after one more operation, which has the given window."""
        return Axis(
            self.start + window.start * self.stride,
            self.size + (window.size - 1) * self.stride,
            self.stride * window.stride,
        )


Windows = tuple[Axis, Axis]  # along height and width
IN_PLACE: Windows = (Axis(), Axis())  # for operations that treat each position independently


def window_of(operation: Any, arguments: Sequence[Any], shape: Sequence[int | None]) -> Windows | None:
    """Return the window of an operation along height and width, or None if it is not known.

    The result is the object `IN_PLACE` itself if each output position depends on the same position of the
    inputs only. A class from outside Keras is known on two conditions: it is derived from a known class of
    Keras, and the gradient of its output is zero outside the window.

    Args:
        operation: a layer, or an operation of `keras.ops`.
        arguments: the positional arguments of the call; for a convolution of `keras.ops`, the second one is
            the kernel.
        shape: shape of the first input, (batch, height, width, channels); a side of unknown length is None.
    """
    windows = None
    if isinstance(operation, keras.layers.Layer):
        windows = _of_layer(operation, shape)
    elif _keras_name(operation):
        windows = _of_operation(operation, arguments, shape)
    if windows is None:
        return None
    activation = getattr(operation, "activation", None)
    is_own = not _from_keras(type(operation)) or not (activation is None or _from_keras(activation))
    return None if is_own and not _gradient_agrees(operation, windows, shape) else windows


def _of_layer(layer: Any, shape: Sequence[int | None]) -> Windows | None:
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return _both(lambda axis: _transposed(layer, axis))
    if isinstance(layer, _CONVOLUTIONS):
        return _both(lambda axis: _convolved(layer, layer.kernel_size, axis, shape))
    if isinstance(layer, _POOLINGS):
        return _both(
            lambda axis: _windowed(layer.pool_size[axis], layer.strides[axis], layer.padding, shape[1 + axis])
        )
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return _both(lambda axis: Axis(-layer.padding[axis][0]))
    if isinstance(layer, keras.layers.Cropping2D):
        return _both(lambda axis: Axis(layer.cropping[axis][0]))
    if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "nearest":
        return _both(lambda axis: Axis(stride=1 / layer.size[axis]))
    in_place = isinstance(layer, _IN_PLACE) or _keras_name(layer) in _IN_PLACE_NAMES
    return IN_PLACE if in_place and _keeps_positions(layer) else None


def _of_operation(operation: Any, arguments: Sequence[Any], shape: Sequence[int | None]) -> Windows | None:
    name = _keras_name(operation)
    if name in _IN_PLACE_NAMES:
        return IN_PLACE if _keeps_positions(operation) else None
    padding = getattr(operation, "padding", None)
    if padding not in ("valid", "same") or operation.data_format == "channels_first":
        return None
    if name in ("MaxPool", "AveragePool"):
        size = operation.pool_size
        strides = size if operation.strides is None else operation.strides
        return _both(
            lambda axis: _windowed(_along(size, axis), _along(strides, axis), padding, shape[1 + axis])
        )
    if name in ("Conv", "DepthwiseConv", "SeparableConv"):
        kernel = tuple(arguments[1].shape[:2])
        return _both(lambda axis: _convolved(operation, kernel, axis, shape))
    return None


def _both(along: Callable[[int], Axis]) -> Windows:
    """Return the windows along axis 0, the height, and axis 1, the width."""
    return along(0), along(1)


def _keeps_positions(operation: Any) -> bool:
    """Return whether the axis of an operation, if it has one, is that of the channels: the last one."""
    has_axis = keras_class(operation) in ("Concatenate", "Softmax", "LogSoftmax")
    return not has_axis or operation.axis in _LAST_AXIS


def keras_class(operation: Any) -> str:
    """Return the name of an operation's class, or, for a class from outside, of its nearest Keras base."""
    return next(base.__name__ for base in type(operation).__mro__ if _from_keras(base))


def _keras_name(operation: Any) -> str:
    """Return the name of an operation's class if it comes from Keras, else an empty string."""
    return type(operation).__name__ if _from_keras(type(operation)) else ""


def _from_keras(definition: Any) -> bool:
    return str(getattr(definition, "__module__", "")).startswith("keras.")


def _convolved(operation: Any, kernel: Sequence[int], axis: int, shape: Sequence[int | None]) -> Axis:
    dilation = _along(operation.dilation_rate, axis)
    window = (kernel[axis] - 1) * dilation + 1
    return _windowed(window, _along(operation.strides, axis), operation.padding, shape[1 + axis])


def _windowed(window: int, step: int, padding: str, side: int | None) -> Axis:
    """Return a window that moves in steps; `same` padding adds more zeros after the map than before it."""
    before = 0
    if padding == "same":
        if side is None:  # assume that the step divides the side
            total = max(window - step, 0)
        else:
            total = max((math.ceil(side / step) - 1) * step + window - side, 0)
        before = total // 2
    return Axis(-before, window, step)


def _transposed(layer: keras.layers.Conv2DTranspose, axis: int) -> Axis:
    """Return a window that contains all inputs that affect an output position; it may be too large."""
    window, step = layer.kernel_size[axis], layer.strides[axis]
    reach = math.ceil(window / step) - 1
    before = max(window - step, 0) // 2 if layer.padding == "same" else 0
    return Axis(before / step - reach, 1 + reach, 1 / step)


def _along(value: int | Sequence[int], axis: int) -> int:
    return value if isinstance(value, int) else value[axis]


def _gradient_agrees(operation: Any, windows: Windows, shape: Sequence[int | None]) -> bool:
    """Return whether outputs depend only on inputs in their windows, and on some, according to gradients.

    The input is noise; the outputs are those at two corners and in the middle.
    """
    sides = [side or _OPEN_SIDE for side in shape[1:3]]
    noise = np.random.default_rng(0).normal(size=(1, *sides, shape[3] or 1)).astype(np.float32)
    inputs = keras.ops.convert_to_tensor(noise)
    try:
        height, width = operation(inputs, training=False).shape[1:3]
        for row, column in ((0, 0), (height // 2, width // 2), (height - 1, width - 1)):

            def value(point: Any, row: int = row, column: int = column) -> Any:
                return operation(point, training=False)[:, row, column]

            _, gradient = value_and_gradient(value, inputs)
            depends = np.abs(np.asarray(gradient)[0]).sum(axis=-1) > 0
            inside = np.ix_(
                *(
                    _inside(axis, position, side)
                    for axis, position, side in zip(windows, (row, column), sides, strict=True)
                )
            )
            if not depends.any() or depends.sum() != depends[inside].sum():
                return False
    except Exception:  # code from outside can raise anything; its window is then unknown
        return False
    return True


def _inside(axis: Axis, position: int, side: int) -> np.ndarray:
    """Return which inputs along a side belong to the window of an output position: bool (side,)."""
    start = axis.start + position * axis.stride
    inputs = np.arange(side)
    return (inputs > start - 1) & (inputs < start + axis.size)
