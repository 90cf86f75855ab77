"""Activation maximization: gradient ascent to a picture that raises the mean response of a filter.

Four parts are independent of each other (C. Olah, A. Mordvintsev, L. Schubert, Feature Visualization,
Distill 2017): the objective (the mean positive response of a filter), the parametrization (a Fourier spectrum
with even weight on all scales, in decorrelated colours), the transform (jitter, against high-frequency noise)
and the optimizer (Adam).

The objective uses the positive response because the mean of a linear response depends only on the mean of the
input, not on any pattern. After ReLU, a grating has a higher mean than a flat colour. A small slope remains
below zero, so that a silent filter has a gradient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from convscope.errors import ConvscopeError
from convscope.graph import Layer, at_size, before_activation
from convscope.preprocessing import Preprocessing
from convscope.vis.gradients import compiled, value_and_gradient

# The square root of the covariance of colours in natural pictures (ImageNet), scaled to norm 1. It maps a
# step in decorrelated colours to RGB. From google/lucid, optvis/param/color.py.
_COLOR_SVD = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
BATCH = 32  # pictures that are optimized together
LEARNING_RATE = 0.1
SLOPE = 0.1  # of the response below zero, during ascent
COLORS = _COLOR_SVD / np.linalg.norm(_COLOR_SVD, axis=0).max()


@dataclass(frozen=True)
class Patterns:
    """The patterns of some filters of a layer.

    `pictures` is uint8 (filters, size, size, 3). `before` and `after`, float32 (filters,), are the mean
    positive responses of the filters (after ReLU, 0 or more) to the noise at the start and to the pictures.
    """

    pictures: np.ndarray
    before: np.ndarray
    after: np.ndarray


def maximize_filters(
    model: keras.Model,
    layer: Layer,
    filters: Sequence[int],
    *,
    preprocessing: Preprocessing,
    size: int,
    steps: int,
    seed: int,
    on_step: Callable[[int], Any] | None = None,
) -> Patterns:
    """Return a picture for each filter that raises the mean positive response of the filter.

    Args:
        model: a functional model with one picture as input.
        layer: a layer with feature maps.
        filters: channels of the layer.
        preprocessing: the preprocessing of the model. It encodes the pixels, which stay within 0..255.
        size: height and width of the pictures in pixels.
        steps: number of steps of gradient ascent.
        seed: seed of the initial noise and of the jitter.
        on_step: a callback for a progress bar: called after each step with the number of filters.

    Raises:
        ConvscopeError: the pictures are too small for the layer.
    """
    rng = np.random.default_rng(seed)
    batch = min(BATCH, len(filters))
    ascent = _Ascent(_response_of(model, layer, preprocessing, size), batch, size)
    results = []
    for start in range(0, len(filters), batch):
        chosen = list(filters[start : start + batch])
        padded = chosen + chosen[-1:] * (batch - len(chosen))
        one_hot = tf.constant(np.eye(layer.channels, dtype=np.float32)[padded])
        ascent.restart(rng)
        before = ascent.response(ascent.pictures(), one_hot)
        for _ in range(steps):
            ascent.step(one_hot, rng)
            if on_step:
                on_step(len(chosen))
        pictures = np.round(np.asarray(ascent.pictures())).astype(np.uint8)
        after = ascent.response(tf.constant(pictures, tf.float32), one_hot)
        results.append([np.asarray(values)[: len(chosen)] for values in (pictures, before, after)])
    return Patterns(*(np.concatenate(batches) for batches in zip(*results, strict=True)))


class _Ascent:
    """The optimization of a batch of pictures; its graph is traced once for all batches."""

    def __init__(self, response: Callable[..., Any], batch: int, size: int):
        self.response = response
        self._size = size
        self._even_scales = tf.constant(_even_scales(size))
        self._spectrum = tf.Variable(tf.zeros((2, batch, 3, size, size // 2 + 1)))  # real, imaginary
        self._optimizer = keras.optimizers.Adam(LEARNING_RATE)
        self._optimizer.build([self._spectrum])
        self._initial_state = [variable.numpy() for variable in self._optimizer.variables]
        self._step = compiled(self._ascend)

    def restart(self, rng: np.random.Generator) -> None:
        """Start from faint noise with a new state of the optimizer."""
        self._spectrum.assign(rng.normal(0, 0.01, self._spectrum.shape))
        for variable, value in zip(self._optimizer.variables, self._initial_state, strict=True):
            variable.assign(value)

    def pictures(self) -> Any:
        """Return the pixels, 0..255, float32 (batch, size, size, 3)."""
        return self._decode(self._spectrum)

    def step(self, one_hot: Any, rng: np.random.Generator) -> None:
        """Take one step with randomly shifted pictures: the mean response does not depend on the position."""
        self._step(one_hot, tf.constant(rng.integers(0, self._size, 2), tf.int32))

    def _decode(self, spectrum: Any) -> Any:
        coefficients = tf.complex(spectrum[0], spectrum[1]) * self._even_scales
        values = tf.signal.irfft2d(coefficients, [self._size, self._size])
        values = tf.transpose(values, [0, 2, 3, 1]) @ tf.constant(COLORS.T)
        return 255 * tf.sigmoid(values / 4)

    def _ascend(self, one_hot: Any, shift: Any) -> None:
        def objective(spectrum: Any) -> Any:
            return self.response(tf.roll(self._decode(spectrum), shift, [1, 2]), one_hot, SLOPE)

        _, gradient = value_and_gradient(objective, self._spectrum)
        self._optimizer.apply([-gradient], [self._spectrum])


def _response_of(
    model: keras.Model, layer: Layer, preprocessing: Preprocessing, size: int
) -> Callable[..., Any]:
    """Return a function of pictures (n, size, size, 3), one-hot filters (n, channels) and a slope.

    The function returns the mean response of filter i to picture i, (n,). It multiplies negative values by
    `slope`. The layers up to the feature maps are called again on pictures of the given size.
    """
    input_to_layer = keras.Model(model.inputs[0], before_activation(layer.output))
    channels = model.inputs[0].shape[-1]
    try:
        trunk = at_size(input_to_layer, (size, size, channels))
    except ValueError as error:
        raise ConvscopeError(
            f"pictures of {size}×{size} pixels are too small for {layer.path}: set a larger size, up to the "
            "size of the model's input"
        ) from error

    def response(pictures: Any, one_hot: Any, slope: float = 0.0) -> Any:
        maps = tf.cast(trunk(preprocessing.encode(pictures), training=False), tf.float32)
        filter_maps = tf.einsum("nhwc,nc->nhw", maps, one_hot)
        return tf.reduce_mean(tf.maximum(filter_maps, slope * filter_maps), [1, 2])

    return response


def _even_scales(size: int) -> np.ndarray:
    """Return the weights of the spectrum's coefficients, 1 / frequency, so that all scales change alike."""
    vertical = np.fft.fftfreq(size)[:, None]
    horizontal = np.fft.rfftfreq(size)[None, :]
    frequency = np.hypot(vertical, horizontal)
    return (size / np.maximum(frequency, 1 / size)).astype(np.complex64)
