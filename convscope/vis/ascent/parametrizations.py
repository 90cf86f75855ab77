"""Parametrizations: the variable that gradient ascent changes, and the picture that it stands for.

A parametrization does not decide what is raised, but which pictures are near. Steps in a Fourier spectrum
with even weight on all scales, in decorrelated colours, give shapes of all sizes instead of high-frequency
noise. See C. Olah, A. Mordvintsev, L. Schubert, Feature Visualization, Distill 2017.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from convscope.vis.ascent.natural_images import COLORS, Spectrum, frequencies


class Parametrization(Protocol):
    """The map from a variable to square pictures."""

    @property
    def size(self) -> int:
        """Height and width of the pictures in pixels."""

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Return the start of one picture, float32."""

    def decode(self, variable: Any) -> Any:
        """Return the pixels, float32 (batch, size, size, 3), RGB, for a variable (batch, …)."""

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        """Return the pixels as they are saved, uint8 (batch, size, size, 3)."""


@dataclass(frozen=True, eq=False)
class Fourier:
    """A Fourier spectrum in decorrelated colours; a sigmoid keeps the pixels between 0 and 255.

    Attributes:
        size: height and width in pixels.
        decay: the weight of a coefficient is 1 / frequency to this power.
        contrast: the standard deviation of the values before the colours and the sigmoid. The values are
            standardized in each step, which prevents pictures that are saturated or flat (Horama,
            `fourier_fv.py`). None leaves them free; the start is then faint.
        colors: (3, 3), maps decorrelated colours to RGB.
    """

    size: int
    decay: float = 1.5
    contrast: float | None = 1.0
    colors: np.ndarray = field(default_factory=lambda: COLORS)

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Return a normal spectrum: its real and imaginary part, float32 (2, 3, size, size // 2 + 1)."""
        spectrum = rng.normal(0, 0.01 if self.contrast is None else 1, self._shape)
        return spectrum.astype(np.float32)

    def decode(self, variable: Any) -> Any:
        """Return the pixels."""
        values = _to_pixels(tf.complex(variable[:, 0], variable[:, 1]) * self._weights, self.size)
        if self.contrast is not None:
            values = self.contrast * _standardized(values)
        return 255 * tf.sigmoid(values @ tf.constant(self.colors.T, tf.float32))

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Return the spectrum of a picture, uint8 (size, size, 3): the inverse of `decode`.

        It is the inverse only for `contrast=None`. Black and white move a little inwards, because a sigmoid
        does not reach them.
        """
        share = np.clip(pixels.astype(np.float64) / 255, 1 / 510, 1 - 1 / 510)
        values = np.log(share / (1 - share)) @ np.linalg.inv(self.colors.astype(np.float64)).T
        spectrum = np.fft.rfft2(np.moveaxis(values, -1, 0)) / self._weights
        return np.stack([spectrum.real, spectrum.imag]).astype(np.float32)

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        """Return the rounded pixels."""
        return np.round(pixels).astype(np.uint8)

    @property
    def _shape(self) -> tuple[int, ...]:
        return 2, 3, self.size, self.size // 2 + 1

    @property
    def _weights(self) -> np.ndarray:
        return (self.size / 4 / frequencies(self.size) ** self.decay).astype(np.complex64)


@dataclass(frozen=True, eq=False)
class Maco:
    """The phase of a Fourier spectrum with a fixed magnitude (MACO: T. Fel et al., 2023).

    The magnitude is that of natural images, so the ascent can only move structures, not add contrast. Three
    things differ from the paper. The standardized phase is multiplied by π, because phases near 0 add up to a
    bright spot in the corners. Opposite frequencies have opposite phases, because the inverse transform would
    otherwise change some magnitudes. The magnitude of frequency 0 is 0, because a mean colour, which the
    standardization of all colours together changes, takes contrast from the structures.

    Attributes:
        size: height and width in pixels.
        spectrum: the magnitude, and the colours that it refers to.
    """

    size: int
    spectrum: Spectrum

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Return a normal phase, float32 (3, size, size // 2 + 1)."""
        return rng.normal(0, 1, (3, self.size, self.size // 2 + 1)).astype(np.float32)

    def decode(self, variable: Any) -> Any:
        """Return the pixels."""
        values = _standardized(_to_pixels(self.coefficients(variable), self.size))
        return 255 * tf.sigmoid(values @ tf.constant(self.spectrum.colors.T, tf.float32))

    def coefficients(self, variable: Any) -> Any:
        """Return the spectrum: complex64 (batch, 3, size, size // 2 + 1)."""
        phase = _of_real_pictures(np.pi * _standardized(variable), self.size)
        magnitude = self.spectrum.at(self.size).copy()
        magnitude[:, 0, 0] = 0
        return tf.constant(magnitude, tf.complex64) * tf.exp(tf.complex(tf.zeros_like(phase), phase))

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        """Return the rounded pixels."""
        return np.round(pixels).astype(np.uint8)


@dataclass(frozen=True)
class Pixels:
    """Free pixels, without limits during the ascent.

    F. Chollet, Deep Learning with Python, second edition, section 9.4.2.

    Attributes:
        size: height and width in pixels.
    """

    size: int

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Return uniform noise between 0.4 and 0.6 of the range, float32 (size, size, 3)."""
        return (255 * rng.uniform(0.4, 0.6, (self.size, self.size, 3))).astype(np.float32)

    def decode(self, variable: Any) -> Any:
        """Return the variable."""
        return variable

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        """Return each picture with a mean of 128 and a standard deviation of 64, as the book shows it."""
        axes = (1, 2, 3)
        centred = pixels - pixels.mean(axes, keepdims=True)
        scaled = 128 + 64 * centred / np.maximum(pixels.std(axes, keepdims=True), 1e-5)
        return np.clip(scaled, 0, 255).astype(np.uint8)


def _to_pixels(spectrum: Any, size: int) -> Any:
    """Return the real values, (batch, size, size, 3), of a spectrum (batch, 3, size, size // 2 + 1)."""
    return tf.transpose(tf.signal.irfft2d(spectrum, [size, size]), [0, 2, 3, 1])


def _of_real_pictures(phase: Any, size: int) -> Any:
    """Return phases (batch, 3, size, size // 2 + 1) with opposite values at opposite frequencies.

    The first column has both, as the last one if the size is even. The phase of frequency 0 is 0.
    """
    opposite = -tf.roll(tf.reverse(phase, [2]), 1, 2)
    column = np.arange(size // 2 + 1)
    return tf.where((column == 0) | (2 * column == size), (phase + opposite) / np.sqrt(2), phase)


def _standardized(values: Any) -> Any:
    """Return the values of each picture with a mean of 0 and a standard deviation of 1."""
    mean, variance = tf.nn.moments(values, [1, 2, 3], keepdims=True)
    return (values - mean) / (tf.sqrt(variance) + 1e-5)
