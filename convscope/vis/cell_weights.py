"""The weights behind one cell of a convolution: kernel and bias, with batch normalization folded in."""

from dataclasses import dataclass

import keras
import numpy as np

from convscope.graph import JoinedLayer
from convscope.vis.operation_window import window_of

_OTHERS = (keras.layers.ELU, keras.layers.LeakyReLU, keras.layers.PReLU)  # activations that are layers


@dataclass(frozen=True)
class CellWeights:
    """What computes a cell before the activation: the sum of kernel × window, plus the bias.

    Attributes:
        kernel: float32 (height, width, inputs, outputs).
        bias: float32 (outputs,).
        start: the first row and column of the window of cell (0, 0); negative with padding.
        strides: the steps of the window along height and width.
        dilation: the steps inside the window along height and width.
        folded: whether there is a normalization, which is in kernel and bias.
        activation: the name of the activation.
    """

    kernel: np.ndarray
    bias: np.ndarray
    start: tuple[int, int]
    strides: tuple[int, int]
    dilation: tuple[int, int]
    folded: bool
    activation: str


def cell_weights(joined: JoinedLayer) -> CellWeights | None:
    """Return the weights of a joined layer, or None if it does not begin with a plain convolution."""
    layer = joined.members[0].keras_layer
    if type(layer) is not keras.layers.Conv2D or layer.groups != 1:
        return None
    windows = window_of(layer, (), tuple(joined.members[0].input.shape))
    if windows is None:
        return None
    kernel = np.asarray(layer.kernel, np.float32)
    bias = np.asarray(layer.bias, np.float32) if layer.use_bias else np.zeros(layer.filters, np.float32)
    others = [member.keras_layer for member in joined.members[1:]]
    normalizations = [other for other in others if isinstance(other, keras.layers.BatchNormalization)]
    for normalization in normalizations:
        factor, offset = _factor_and_offset(normalization)
        kernel, bias = kernel * factor, bias * factor + offset
    return CellWeights(
        kernel=kernel,
        bias=bias,
        start=(int(windows[0].start), int(windows[1].start)),
        strides=tuple(layer.strides),
        dilation=tuple(layer.dilation_rate),
        folded=bool(normalizations),
        activation=_activation([layer, *others]),
    )


def _activation(layers: list[keras.layers.Layer]) -> str:
    """Return the name of the activation in or after a convolution."""
    for layer in reversed(layers):
        activation = getattr(layer, "activation", None)
        if activation not in (None, keras.activations.linear):
            return str(getattr(activation, "__name__", activation))
        if isinstance(layer, keras.layers.ReLU):
            return "relu"
        if isinstance(layer, _OTHERS):
            return type(layer).__name__
    return "no activation"


def _factor_and_offset(layer: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """Return what the layer multiplies each channel by, and what it adds after that, float32 (channels,)."""
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    factor = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        factor = factor * np.asarray(layer.gamma)
    offset = -mean * factor
    return factor, offset + np.asarray(layer.beta) if layer.center else offset
