"""How far two models of one architecture differ: in their kernels, and in what their channels put out."""

import math

import keras
import numpy as np

_SAME = 1e-6  # of a channel's largest value: a deviation below it is the rounding of float32


class MapCorrelation:
    """Pearson's correlation of a layer's channels in two models, over all places of all photographs.

    What was added is kept as means and sums of products around them (T. F. Chan, G. H. Golub, R. J. LeVeque,
    1979), in float64, so that neither many photographs nor a large mean cost digits.
    """

    def __init__(self) -> None:
        self._count = 0
        self._means = np.zeros(1)
        self._products = np.zeros(1)
        self._largest = np.zeros(1)

    def add(self, one: np.ndarray, other: np.ndarray) -> None:
        """Take in the maps of a photograph, float (height, width, channels), from either model."""
        pair = np.stack([one, other]).astype(np.float64)
        pair = pair.reshape(2, -1, pair.shape[-1])  # model, place, channel
        count, means = pair.shape[1], pair.mean(axis=1)
        around = pair - means[:, None]
        products = np.einsum("apc,bpc->abc", around, around)
        apart, total = means - self._means, self._count + count
        self._products = self._products + products + apart[:, None] * apart * (self._count * count / total)
        self._means = self._means + apart * (count / total)
        self._count = total
        self._largest = np.maximum(self._largest, np.abs(pair).max(axis=1))

    @property
    def of_channels(self) -> np.ndarray:
        """The correlation of each, float64 (channels,), NaN where either is the same everywhere."""
        squares = np.stack([self._products[0, 0], self._products[1, 1]])
        varies = (squares > self._count * (_SAME * self._largest) ** 2).all(axis=0)
        scale = np.sqrt(np.where(varies, squares[0] * squares[1], 1))
        return np.where(varies, self._products[0, 1] / scale, np.nan)

    @property
    def mean(self) -> float:
        """Of the channels that vary in both models, NaN without one."""
        found = self.of_channels
        return float(np.nanmean(found)) if np.isfinite(found).any() else math.nan

    @property
    def channels(self) -> int:
        """How many vary in both models."""
        return int(np.isfinite(self.of_channels).sum())


def kernels(layer: keras.layers.Layer) -> list[np.ndarray]:
    """The weights of a layer that weigh its input: those of more than one dimension."""
    return [np.asarray(weight, np.float64) for weight in layer.weights if len(weight.shape) > 1]


def relative_change(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    """The length of the difference of a layer's kernels, as a share of the length of those before.

    NaN where those before are all zero. Kernels of equal length that have nothing to do with each other come
    to about the square root of 2.
    """
    length = math.sqrt(sum(float((each**2).sum()) for each in before))
    apart = sum(float(((b - a) ** 2).sum()) for a, b in zip(before, after, strict=True))
    return math.sqrt(apart) / length if length > 0 else math.nan
