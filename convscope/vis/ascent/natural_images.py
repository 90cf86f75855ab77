"""Colours and scales of natural images: which pictures gradient ascent prefers."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# The square root of the covariance of colours in natural pictures (ImageNet), scaled to norm 1. It maps a
# step in decorrelated colours to RGB. From google/lucid, optvis/param/color.py.
_COLOR_SVD = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
COLORS = _COLOR_SVD / np.linalg.norm(_COLOR_SVD, axis=0).max()

# A fit to the magnitude spectrum of ImageNet in these colours, that of MACO (log error at most 0.09):
# factor · f^-power · exp(-(f / cutoff)^order), f in cycles per pixel. One value per colour.
_FACTOR, _POWER = np.array([32.2, 28.3, 27.5]), np.array([1.288, 1.323, 1.284])
_CUTOFF, _ORDER = np.array([0.310, 0.284, 0.307]), np.array([2.38, 2.29, 2.55])
_CONSTANT = np.array([255052.0, 269511.0, 227829.0])  # of frequency 0
_LOWEST = 1 / 512  # frequency of the fit


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The mean magnitude spectrum of images.

    Attributes:
        colors: (3, 3), maps decorrelated colours to RGB.
        magnitude: float (3, size, size // 2 + 1), measured at one size; None is the fit to ImageNet.
        source: the images, for captions and the provenance.
    """

    colors: np.ndarray = field(default_factory=lambda: COLORS)
    magnitude: np.ndarray | None = None
    source: str = "fit to ImageNet"

    def sha256(self, size: int) -> str:
        """Return a hash of the colours and of the magnitude for pictures of a size."""
        content = self.colors.astype(np.float32).tobytes() + self.at(size).tobytes()
        return hashlib.sha256(content).hexdigest()

    def at(self, size: int) -> np.ndarray:
        """Return the magnitude for pictures of a size, float32 (3, size, size // 2 + 1).

        Raises:
            ValueError: the spectrum was measured at another size.
        """
        if self.magnitude is None:
            return _fitted(size)
        if self.magnitude.shape != (3, size, size // 2 + 1):
            raise ValueError(f"a spectrum of shape {self.magnitude.shape} does not fit pictures of {size}")
        return self.magnitude.astype(np.float32)


def frequencies(size: int) -> np.ndarray:
    """Return the frequencies of a spectrum in cycles per pixel, at least 1 / size: (size, size // 2 + 1)."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    return np.maximum(frequency, 1 / size)


def measured_colors(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Return the square root of the covariance of the colours, divided by its largest column norm.

    Args:
        pictures: batches of RGB pixels, (…, 3).

    Returns:
        float32 (3, 3). Its columns are the principal axes of the colours; they are orthogonal.
    """
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for batch in pictures:
        pixels = np.asarray(batch, np.float64).reshape(-1, 3)
        count, total, products = count + len(pixels), total + pixels.sum(0), products + pixels.T @ pixels
    covariance = products / count - np.outer(total, total) / count**2
    axes, variances, _ = np.linalg.svd(covariance)
    axes *= np.where(axes.sum(0) < 0, -1, 1)  # the sign of an axis is arbitrary
    root = axes * np.sqrt(variances)
    return (root / np.linalg.norm(root, axis=0).max()).astype(np.float32)


def measured_spectrum(pictures: Iterable[np.ndarray], colors: np.ndarray) -> Spectrum:
    """Return the mean magnitude of the spectra of pictures, the same in all directions.

    The magnitude is averaged over the directions of each frequency: the borders of a picture add horizontal
    and vertical lines to its spectrum, which would show as a grid.

    Args:
        pictures: batches of square RGB pictures, (batch, size, size, 3), 0 to 255; at least 300 in all.
        colors: see `measured_colors`.
    """
    count, total = 0, np.zeros(())
    for batch in pictures:
        values = np.asarray(batch, np.float64) / 255 @ np.linalg.inv(colors.astype(np.float64)).T
        total = total + np.abs(np.fft.rfft2(np.moveaxis(values, -1, 1))).sum(0)
        count += len(batch)
    return Spectrum(colors, _of_all_directions(total / count), f"{count} images")


def _of_all_directions(magnitude: np.ndarray) -> np.ndarray:
    """Return the magnitude (3, size, size // 2 + 1), averaged over rings that are one step wide."""
    size = magnitude.shape[1]
    ring = np.round(size * frequencies(size)).astype(int)
    ring[0, 0] = 0
    column = np.arange(size // 2 + 1)
    share = np.broadcast_to(np.where((column == 0) | (2 * column == size), 1.0, 2.0), ring.shape)
    count = np.bincount(ring.ravel(), share.ravel())
    return np.stack(
        [(np.bincount(ring.ravel(), (share * color).ravel()) / count)[ring] for color in magnitude]
    )


def _fitted(size: int) -> np.ndarray:
    frequency = np.maximum(frequencies(size), _LOWEST)[None]
    factor, power, cutoff, order = (values[:, None, None] for values in (_FACTOR, _POWER, _CUTOFF, _ORDER))
    magnitude: Any = factor * frequency**-power * np.exp(-((frequency / cutoff) ** order))
    magnitude[:, 0, 0] = _CONSTANT
    return magnitude.astype(np.float32)
