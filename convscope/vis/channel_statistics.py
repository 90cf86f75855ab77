"""Statistics of channels over many pictures: percentiles, dead channels, zeros and histograms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from convscope.graph import Layer, activation_of
from convscope.vis.extractor import check_finite

QUANTILE = 0.995
FEWEST = 1000  # pictures, at least, to call a channel dead
_POSITIONS = 32  # about so many positions along a side of a map are used for the quantile
BARS = 40  # in a drawn histogram
_STEPS = 16  # bins of an octave: each is as wide as a sixteenth of its power of two
_LOWEST, _OCTAVES = -40, 80  # the smallest magnitude is 2 to the -40; smaller ones count as zero
_ONE_SIGN = _OCTAVES * _STEPS
_BINS = 2 * _ONE_SIGN + 1
_PASSED = (keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.SpatialDropout2D)
_ACTIVATIONS = (keras.layers.ReLU, keras.layers.Activation)


@dataclass(frozen=True)
class ChannelStatistics:
    """Statistics of one layer over a number of `pictures`.

    `high`, float (channels,), is the 99.5th percentile of each channel, and `low`, float (channels,), the
    0.5th percentile, None if it was not measured. `dead`, bool (channels,), marks the channels that are zero
    for all pictures; it is None without a ReLU after the output, or with fewer than 1,000 pictures. `zeros`,
    0..1, is the share of values that are zero (magnitude below 2 to the -40). `histogram` is the histogram of
    all channels together, as `equal_bins` returns it.
    """

    pictures: int
    high: np.ndarray
    dead: np.ndarray | None
    zeros: float
    histogram: tuple[np.ndarray, np.ndarray]
    low: np.ndarray | None = None

    @property
    def signed(self) -> bool:
        """Whether the layer has negative values: some channel's 0.5th percentile is below zero.

        The values decide, not the type of the layer: a linear convolution is signed, and so are ELU and
        swish. Negative values of less than a millionth of the largest percentile count as rounding.
        """
        if self.low is None:
            return False
        return bool(self.low.min() < -1e-6 * np.abs(self.bound).max())

    @property
    def bound(self) -> np.ndarray:
        """The larger magnitude of the two percentiles of each channel, float (channels,)."""
        return np.abs(self.high) if self.low is None else np.maximum(np.abs(self.low), np.abs(self.high))


def rectified(layers: Sequence[Layer], layer: Layer) -> Layer | None:
    """Return the layer whose ReLU follows the output of `layer`: itself, or a later layer.

    Normalization and dropout may lie between the two. The result is None if another operation comes first
    (addition, pooling), or if the activation passes negative values: such channels cannot be dead.
    """
    if activation_of(layer.output) in ("relu", "relu6"):
        return None if _leaks(layer) else layer
    if activation_of(layer.output) not in ("linear", None) or isinstance(
        layer.keras_layer, keras.layers.InputLayer
    ):
        return None
    users = [user for user in layers if layer.index in user.sources]
    if len(users) != 1 or users[0].input is not layer.output:
        return None
    (user,) = users
    if isinstance(user.keras_layer, _PASSED):
        return rectified(layers, user)
    follows = activation_of(user.output) in ("relu", "relu6") and isinstance(user.keras_layer, _ACTIVATIONS)
    return user if follows and not _leaks(user) else None


def _leaks(layer: Layer) -> bool:
    return bool(getattr(layer.keras_layer, "negative_slope", 0) or getattr(layer.keras_layer, "threshold", 0))


@dataclass
class _Tally:
    """The counts of one layer over the batches so far; `cut` is its layer of `rectified`."""

    layer: Layer
    counts: np.ndarray
    highest: np.ndarray
    cut: Layer | None = field(default=None)


def channel_statistics(
    model: keras.Model, layers: Sequence[Layer], shown: Sequence[Layer], batches: Iterable[np.ndarray]
) -> dict[str, ChannelStatistics]:
    """Compute the statistics of layers over many pictures, batch by batch.

    Dead channels are found from all values. The percentiles use the values at about 32 x 32 evenly spaced
    positions of each map; their relative error is at most 1/16.

    Args:
        model: the flat model.
        layers: all layers of the model.
        shown: the layers to measure; they have feature maps or units.
        batches: preprocessed pictures, float32 (batch, height, width, channels).

    Returns:
        the statistics by layer path.

    Raises:
        ConvscopeError: a layer returns values that are not finite.
    """
    tallies = [
        _Tally(layer, np.zeros((layer.channels, _BINS), np.int32), np.zeros(layer.channels), cut)
        for layer, cut in ((layer, rectified(layers, layer)) for layer in shown)
    ]
    if not tallies:
        return {}
    outputs = [_thinned(tally.layer) for tally in tallies]
    cut_tallies = [tally for tally in tallies if tally.cut]
    outputs += [_highest(tally.cut.output) for tally in cut_tallies if tally.cut]
    measured = keras.Model(model.inputs[0], outputs)
    pictures = 0
    for batch in batches:
        maps = [np.asarray(output) for output in keras.tree.flatten(measured.predict_on_batch(batch))]
        for tally, values in zip(tallies, maps, strict=False):
            check_finite(tally.layer.path, values)
            tally.counts += _histograms(values.reshape(-1, values.shape[-1])).astype(np.int32)
        for tally, highest in zip(cut_tallies, maps[len(tallies) :], strict=True):
            tally.highest = np.maximum(tally.highest, highest.max(axis=0))
        pictures += len(batch)
    return {
        tally.layer.path: ChannelStatistics(
            pictures,
            _quantile(tally.counts, QUANTILE),
            tally.highest <= 0 if tally.cut and pictures >= FEWEST else None,
            float(tally.counts[:, _ONE_SIGN].sum(dtype=np.int64) / max(1, tally.counts.sum(dtype=np.int64))),
            equal_bins(tally.counts.sum(axis=0, dtype=np.int64)),
            _quantile(tally.counts, 1 - QUANTILE),
        )
        for tally in tallies
    }


def _thinned(layer: Layer) -> object:
    """Return the layer's output at evenly spaced positions."""
    if not layer.has_maps:
        return layer.output
    steps = [max(1, round((side or _POSITIONS) / _POSITIONS)) for side in layer.shape[:2]]
    return layer.output[:, :: steps[0], :: steps[1]]


def _highest(output: object) -> object:
    """Return the maximum of each picture and channel."""
    axes = tuple(range(1, len(output.shape) - 1))  # type: ignore[attr-defined]
    return keras.ops.max(output, axis=axes) if axes else output


def _histograms(values: np.ndarray) -> np.ndarray:
    """Count the values of each channel, float32 (n, channels), in bins: int (channels, bins).

    The middle bin counts zeros. The width of the other bins grows with the magnitude, like the distance
    between two floats.
    """
    channels = values.shape[1]
    leading = np.abs(values).astype(np.float32).view(np.int32) >> (23 - _STEPS.bit_length() + 1)
    magnitude = np.clip(leading - (127 + _LOWEST) * _STEPS + 1, 0, _ONE_SIGN)
    index = np.where(values < 0, _ONE_SIGN - magnitude, _ONE_SIGN + magnitude)
    index += np.arange(channels) * _BINS
    return np.bincount(index.ravel(), minlength=channels * _BINS).reshape(channels, _BINS)


def equal_bins(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a histogram of the nonzero values in 40 equal steps.

    It reaches from their 0.5th to their 99.5th percentile. The values in a bin are assumed to be uniformly
    distributed.

    Args:
        counts: int (bins,), a row of `_histograms` or the sum of several rows.

    Returns:
        the number of values of each step, float (40,), and the ends of the steps, float (41,), as
        `numpy.histogram` returns them.
    """
    others = counts.astype(np.int64)
    others[_ONE_SIGN] = 0
    if not others.any():
        return np.zeros(BARS), np.linspace(0, 1, BARS + 1)
    low, high = (float(_quantile(others[None], share)[0]) for share in (0.005, 0.995))
    ends = np.linspace(low, high, BARS + 1)
    edges = np.concatenate([-_edges()[::-1], _edges()])
    below = np.concatenate([[0], others.cumsum()])
    return np.diff(np.interp(ends, edges, below)), ends


def _edges() -> np.ndarray:
    """Return the edges of the bins of one sign: float (bins of a sign + 1,)."""
    octave, step = np.divmod(np.arange(_ONE_SIGN + 1), _STEPS)
    return 2.0 ** (octave + _LOWEST) * (1 + step / _STEPS)


def _quantile(counts: np.ndarray, share: float) -> np.ndarray:
    """Return the quantile of each channel from its histogram: float (channels,)."""
    edges = _edges()
    low = np.concatenate([-edges[:0:-1], [0.0], edges[:-1]])
    high = np.concatenate([-edges[-2::-1], [0.0], edges[1:]])
    cumulative = counts.cumsum(axis=1, dtype=np.int64)
    wanted = share * cumulative[:, -1]
    bins = (cumulative < wanted[:, None]).sum(axis=1)
    rows = np.arange(len(counts))
    before = cumulative[rows, bins] - counts[rows, bins]
    inside = (wanted - before) / np.maximum(counts[rows, bins], 1)
    return low[bins] + inside * (high[bins] - low[bins])
