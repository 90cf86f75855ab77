"""The difference of two models of one architecture: of their kernels and of their feature maps."""

import math

import keras
import numpy as np

_CONSTANT = 1e-6  # of a channel's largest value; a smaller deviation comes from rounding in float32


class MapCorrelation:
    """Pearson's correlation of a layer's channels in two models, over all positions of all photographs.

    It keeps means and sums of products around them in float64 (T. F. Chan, G. H. Golub, R. J. LeVeque, 1979).
    So neither many photographs nor a large mean reduce the precision.
    """

    def __init__(self) -> None:
        self._count = 0
        self._means = np.zeros(1)
        self._products = np.zeros(1)
        self._largest = np.zeros(1)

    def add(self, one: np.ndarray, other: np.ndarray) -> None:
        """Add the maps of a photograph, float (height, width, channels), of both models."""
        pair = np.stack([one, other]).astype(np.float64)
        pair = pair.reshape(2, -1, pair.shape[-1])  # model, position, channel
        count, means = pair.shape[1], pair.mean(axis=1)
        around = pair - means[:, None]
        products = np.einsum("apc,bpc->abc", around, around)
        shift, total = means - self._means, self._count + count
        self._products = self._products + products + shift[:, None] * shift * (self._count * count / total)
        self._means = self._means + shift * (count / total)
        self._count = total
        self._largest = np.maximum(self._largest, np.abs(pair).max(axis=1))

    @property
    def of_channels(self) -> np.ndarray:
        """The correlation of each channel, float64 (channels,), NaN if it is constant in either model."""
        squares = np.stack([self._products[0, 0], self._products[1, 1]])
        varies = (squares > self._count * (_CONSTANT * self._largest) ** 2).all(axis=0)
        scale = np.sqrt(np.where(varies, squares[0] * squares[1], 1))
        return np.where(varies, self._products[0, 1] / scale, np.nan)

    @property
    def mean(self) -> float:
        """The mean over the channels that vary in both models; NaN if there is none."""
        correlations = self.of_channels
        return float(np.nanmean(correlations)) if np.isfinite(correlations).any() else math.nan

    @property
    def channels(self) -> int:
        """The number of channels that vary in both models."""
        return int(np.isfinite(self.of_channels).sum())


def kernels(layer: keras.layers.Layer) -> list[np.ndarray]:
    """Return the kernels of a layer: its weights with more than one dimension."""
    return [np.asarray(weight, np.float64) for weight in layer.weights if len(weight.shape) > 1]


def relative_change(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    """Return the norm of the difference of a layer's kernels, divided by the norm of `before`.

    It is NaN if all kernels of `before` are zero. For unrelated kernels of equal norm it is about the square
    root of 2.
    """
    norm = math.sqrt(sum(float((kernel**2).sum()) for kernel in before))
    squares = sum(float(((b - a) ** 2).sum()) for a, b in zip(before, after, strict=True))
    return math.sqrt(squares) / norm if norm > 0 else math.nan
