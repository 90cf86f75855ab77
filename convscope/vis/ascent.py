"""Activation maximization: the picture that raises a filter's mean response most, by gradient ascent.

Four ideas that stay apart (C. Olah, A. Mordvintsev, L. Schubert, Feature Visualization, Distill 2017):
the objective (a filter's mean positive response), the parametrization (a Fourier spectrum with even
weight on all scales, in decorrelated colours), the transform (jitter, against high-frequency noise), and
the optimizer (Adam).

Why the positive response: the mean of a linear response does not depend on any pattern, only on the
mean of what comes in. Cutting it at zero, as the ReLU that follows does, is what makes a grating better
than a flat colour. A small slope is left below zero, so that a silent filter has a gradient to follow.
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

# The square root of the covariance of colours in natural pictures (ImageNet), scaled to norm 1: what a
# step in decorrelated colour is in RGB. From google/lucid, optvis/param/color.py.
_COLOR_SVD = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
BATCH = 32  # pictures that climb together
LEARNING_RATE = 0.1
SLOPE = 0.1  # of the response below zero, during ascent
COLORS = _COLOR_SVD / np.linalg.norm(_COLOR_SVD, axis=0).max()


@dataclass(frozen=True)
class Patterns:
    """What ascent found for some filters of a layer.

    `pictures` is uint8 (filters, size, size, 3); `before` and `after` are the filters' mean positive
    responses (after ReLU, 0 or more) to the noise at the start and to the pictures as they are
    returned, float32 (filters,).
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
    """For each filter, a picture that raises its mean positive response.

    Args:
        model: a functional model with one picture as input.
        layer: one that puts out feature maps.
        filters: channels of that layer.
        preprocessing: the model's: pictures are kept within 0..255 and encoded by it.
        size: height and width of the pictures.
        steps: of gradient ascent.
        seed: of the starting noise and the jitter.
        on_step: called after each step with the number of filters that took it, for a progress bar.

    Raises:
        ConvscopeError: nothing of pictures of this size is left at the layer.
    """
    rng = np.random.default_rng(seed)
    batch = min(BATCH, len(filters))
    climb = _Climb(_response_of(model, layer, preprocessing, size), batch, size)
    results = []
    for start in range(0, len(filters), batch):
        chosen = list(filters[start : start + batch])
        padded = chosen + chosen[-1:] * (batch - len(chosen))
        one_each = tf.constant(np.eye(layer.channels, dtype=np.float32)[padded])
        climb.begin(rng)
        before = climb.response(climb.pictures(), one_each)
        for _ in range(steps):
            climb.step(one_each, rng)
            if on_step:
                on_step(len(chosen))
        pictures = np.round(np.asarray(climb.pictures())).astype(np.uint8)
        after = climb.response(tf.constant(pictures, tf.float32), one_each)
        results.append([np.asarray(each)[: len(chosen)] for each in (pictures, before, after)])
    return Patterns(*(np.concatenate(each) for each in zip(*results, strict=True)))


class _Climb:
    """A batch of pictures on its way up; its graph is traced once and serves every batch."""

    def __init__(self, response: Callable[..., Any], batch: int, size: int):
        self.response = response
        self._size = size
        self._even_scales = tf.constant(_even_scales(size))
        self._spectrum = tf.Variable(tf.zeros((2, batch, 3, size, size // 2 + 1)))  # real, imaginary
        self._optimizer = keras.optimizers.Adam(LEARNING_RATE)
        self._optimizer.build([self._spectrum])
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        self._step = compiled(self._take_step)

    def begin(self, rng: np.random.Generator) -> None:
        """Start from faint noise, with an optimizer that remembers nothing."""
        self._spectrum.assign(rng.normal(0, 0.01, self._spectrum.shape))
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)

    def pictures(self) -> Any:
        """Pixels 0..255, float32 (batch, size, size, 3)."""
        return self._decode(self._spectrum)

    def step(self, one_each: Any, rng: np.random.Generator) -> None:
        """One step up, with the pictures moved by a random shift: a mean has no preferred place."""
        self._step(one_each, tf.constant(rng.integers(0, self._size, 2), tf.int32))

    def _decode(self, spectrum: Any) -> Any:
        coefficients = tf.complex(spectrum[0], spectrum[1]) * self._even_scales
        values = tf.signal.irfft2d(coefficients, [self._size, self._size])
        values = tf.transpose(values, [0, 2, 3, 1]) @ tf.constant(COLORS.T)
        return 255 * tf.sigmoid(values / 4)

    def _take_step(self, one_each: Any, shift: Any) -> None:
        def objective(spectrum: Any) -> Any:
            return self.response(tf.roll(self._decode(spectrum), shift, [1, 2]), one_each, SLOPE)

        _, gradient = value_and_gradient(objective, self._spectrum)
        self._optimizer.apply([-gradient], [self._spectrum])


def _response_of(
    model: keras.Model, layer: Layer, preprocessing: Preprocessing, size: int
) -> Callable[..., Any]:
    """A function of pictures (n, size, size, 3), one-hot filters (n, channels) and a slope.

    It gives the mean response of filter i to picture i, (n,); below zero it counts `slope` times. Up to
    its feature maps a convnet takes pictures of any size: its layers are called again for that.
    """
    fixed = keras.Model(model.inputs[0], before_activation(layer.output))
    channels = model.inputs[0].shape[-1]
    try:
        trunk = at_size(fixed, (size, size, channels))
    except ValueError as error:
        raise ConvscopeError(
            f"pictures of {size}×{size} pixels are too small for {layer.path}: expected larger ones, up to "
            "the model's input"
        ) from error

    def response(pictures: Any, one_each: Any, slope: float = 0.0) -> Any:
        maps = tf.cast(trunk(preprocessing.encode(pictures), training=False), tf.float32)
        own = tf.einsum("nhwc,nc->nhw", maps, one_each)
        return tf.reduce_mean(tf.maximum(own, slope * own), [1, 2])

    return response


def _even_scales(size: int) -> np.ndarray:
    """What a coefficient of the spectrum weighs: 1 / frequency, so that every scale moves alike."""
    vertical = np.fft.fftfreq(size)[:, None]
    horizontal = np.fft.rfftfreq(size)[None, :]
    frequency = np.hypot(vertical, horizontal)
    return (size / np.maximum(frequency, 1 / size)).astype(np.complex64)
