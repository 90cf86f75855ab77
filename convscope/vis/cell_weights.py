"""The weights behind one cell of a convolution: kernel and bias, with batch normalisation folded in."""

from dataclasses import dataclass

import keras
import numpy as np

from convscope.vis.layer_units import Unit
from convscope.vis.operation_window import window_of


@dataclass(frozen=True)
class CellWeights:
    """What computes a cell before the activation: the sum of kernel × window, plus the bias.

    Attributes:
        kernel: float32 (height, width, inputs, outputs).
        bias: float32 (outputs,).
        start: the first row and column of the window of cell (0, 0); negative with padding.
        strides: the steps of the window along height and width.
        dilation: the steps inside the window along height and width.
        folded: whether the unit has a normalisation, which is in kernel and bias.
        activation: the name of the activation.
    """

    kernel: np.ndarray
    bias: np.ndarray
    start: tuple[int, int]
    strides: tuple[int, int]
    dilation: tuple[int, int]
    folded: bool
    activation: str


def cell_weights(unit: Unit) -> CellWeights | None:
    """Return the weights of a unit, or None if it does not begin with a plain convolution."""
    layer = unit.parts[0].keras_layer
    if type(layer) is not keras.layers.Conv2D or layer.groups != 1:
        return None
    windows = window_of(layer, (), tuple(unit.parts[0].input.shape))
    if windows is None:
        return None
    kernel = np.asarray(layer.kernel, np.float32)
    bias = np.asarray(layer.bias, np.float32) if layer.use_bias else np.zeros(layer.filters, np.float32)
    normalisations = [
        part.keras_layer
        for part in unit.parts[1:]
        if isinstance(part.keras_layer, keras.layers.BatchNormalization)
    ]
    for normalisation in normalisations:
        factor, offset = _factor_and_offset(normalisation)
        kernel, bias = kernel * factor, bias * factor + offset
    last = unit.layer.keras_layer
    activation = getattr(getattr(last, "activation", None), "__name__", type(last).__name__)
    return CellWeights(
        kernel=kernel,
        bias=bias,
        start=(int(windows[0].start), int(windows[1].start)),
        strides=tuple(layer.strides),
        dilation=tuple(layer.dilation_rate),
        folded=bool(normalisations),
        activation="no activation" if activation == "linear" else activation,
    )


def _factor_and_offset(layer: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """Return what the layer multiplies each channel by, and what it adds after that, float32 (channels,)."""
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    factor = 1 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        factor = factor * np.asarray(layer.gamma)
    offset = -mean * factor
    return factor, offset + np.asarray(layer.beta) if layer.center else offset
