"""The values of channels for reference images: means, maxima, zeros, ranked examples, histograms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from convscope.graph import Layer, of_each_class
from convscope.vis.example_search import PARTS, Top, best, peaks_of, unranked

PERCENTILES = (100,) * 9 + (99, 90, 50)  # of the examples of a channel: the nine highest, then others
_OUTPUTS = PARTS + 2  # of a layer


@dataclass(frozen=True)
class LayerSurvey:
    """The values of the channels of a layer for n images.

    The peak of a channel for an image is the maximum of its feature map.

    Attributes:
        layer: the layer whose maps are measured.
        top: all images, ranked by their peak in each channel, with the positions of the peaks.
        means: float32 (n, channels), the mean over the positions of a map.
        zeros: float64 (channels,), the share of values that are zero.
    """

    layer: Layer
    top: Top
    means: np.ndarray
    zeros: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The mean over all images and positions, float64 (channels,)."""
        return self.means.mean(axis=0, dtype=np.float64)

    @property
    def peaks(self) -> np.ndarray:
        """The peak of each image and channel, float32 (n, channels)."""
        values = np.empty_like(self.top.value)
        np.put_along_axis(values, self.top.example, self.top.value, axis=1)
        return values.T

    @property
    def always_zero(self) -> np.ndarray:
        """The channels that are zero for all images, bool (channels,); dead ones if the images are enough."""
        return self.zeros == 1

    def examples(self) -> Top:
        """Return the examples at `PERCENTILES` of the peaks of each channel, each image once."""
        ranks = list(ranks_at(PERCENTILES, len(self.means)))
        top = self.top
        before = None if top.before is None else top.before[:, ranks]
        arrays = (top.value, top.example, top.row, top.column)
        value, example, row, column = (array[:, ranks] for array in arrays)
        return Top(value, example, row, column, top.lowest, before)


@dataclass(frozen=True)
class Survey:
    """The layers by path, and the probability of each class for each image, float64 (n, classes)."""

    layers: dict[str, LayerSurvey]
    probabilities: np.ndarray


def survey(model: keras.Model, layers: Sequence[Layer], batches: Iterable[np.ndarray]) -> Survey:
    """Measure the channels of layers, and predict the images, in one pass.

    Args:
        model: the flat model that the layers belong to.
        layers: layers with feature maps.
        batches: preprocessed images, float32 (batch, height, width, channels); at least one.

    Raises:
        ConvscopeError: a layer returns values that are not finite.
    """
    outputs = [[*peaks_of(layer), *_means(layer.output)] for layer in layers]
    measured = keras.Model(model.inputs[0], [*keras.tree.flatten(outputs), model.outputs[0]])
    measurements = [measured.predict_on_batch(batch) for batch in batches]
    *parts, predictions = (np.concatenate(part) for part in zip(*measurements, strict=True))
    result = {}
    for index, layer in enumerate(layers):
        *peaks, means, zeros = parts[_OUTPUTS * index :][:_OUTPUTS]
        top = best(None, unranked(layer, peaks), len(means))
        result[layer.path] = LayerSurvey(layer, top, means, zeros.mean(axis=0, dtype=np.float64))
    return Survey(result, of_each_class(predictions))


def _means(maps: Any) -> list[Any]:
    """Return the mean of maps and the share of zeros, both (batch, channels)."""
    is_zero = ops.cast(ops.equal(maps, 0), "float32")
    return [ops.mean(maps, axis=(1, 2)), ops.mean(is_zero, axis=(1, 2))]


def ranks_at(percentiles: Sequence[float], count: int) -> dict[int, float]:
    """Return the rank of each percentile among `count` values, the highest first, and its percentile.

    The rank is the nearest one. Equal percentiles get consecutive ranks, as far as there are values. Each
    rank belongs to the first of its percentiles.
    """
    ranks: dict[int, float] = {}
    for index, percentile in enumerate(percentiles):
        earlier = sum(other == percentile for other in percentiles[:index])
        rank = round((1 - percentile / 100) * (count - 1)) + earlier
        if rank < count:
            ranks.setdefault(rank, percentile)
    return ranks


def histograms(
    peaks: np.ndarray, groups: np.ndarray, count: int, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the peaks of each channel by group in equal bins from the lowest to the highest peak.

    Args:
        peaks: float (n, channels).
        groups: the group of each image, int (n,), 0 to `count` - 1.
        count: the number of groups.
        bins: the number of bins.

    Returns:
        counts, int (channels, groups, bins), and the lowest and the highest peak, float (channels,). If all
        peaks of a channel are equal, they are in the first bin.
    """
    low, high = peaks.min(axis=0), peaks.max(axis=0)
    width = np.where(high > low, high - low, 1)
    index = np.minimum(((peaks - low) / width * bins).astype(int), bins - 1)
    channels = np.arange(peaks.shape[1])
    flat = (channels * count + groups[:, None]) * bins + index
    counts = np.bincount(flat.ravel(), minlength=len(channels) * count * bins)
    return counts.reshape(len(channels), count, bins), low, high


def correlations(means: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation between channels over the images, float64 (channels, channels).

    The correlation of a channel that has the same mean for all images is not defined; it is NaN.

    Args:
        means: float (n, channels).
    """
    centered = means.astype(np.float64) - means.mean(axis=0, dtype=np.float64)
    length = np.sqrt((centered**2).sum(axis=0))
    constant = length <= 1e-6 * np.abs(means).max(axis=0, initial=0)
    unit = centered / np.where(constant, np.nan, length)
    return np.clip(unit.T @ unit, -1, 1)


def similar(means: np.ndarray, count: int) -> list[list[tuple[int, float]]]:
    """Return, for each channel, the channels with the highest correlation and the correlation itself.

    Args:
        means: see `correlations`.
        count: the maximum number of channels; fewer if others are constant.
    """
    matrix = correlations(means)
    np.fill_diagonal(matrix, np.nan)
    order = np.argsort(np.where(np.isnan(matrix), np.inf, -matrix), axis=1, kind="stable")[:, :count]
    return [
        [(int(other), float(row[other])) for other in nearest if not np.isnan(row[other])]
        for row, nearest in zip(matrix, order, strict=True)
    ]
