"""Statistics of channels over many pictures: percentiles, dead channels, zeros and histograms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer, activation_of

QUANTILE = 0.995
FEWEST = 1000  # pictures that are needed to call a channel dead
_POSITIONS = 32  # of a side of a map that are used for the quantile, about
BARS = 40  # of a drawn histogram
_STEPS = 16  # bins of an octave: each is as wide as a sixteenth of its power of two
_LOWEST, _OCTAVES = -40, 80  # the smallest magnitude is 2 to the -40; smaller ones count as zero
_ONE_SIGN = _OCTAVES * _STEPS
_BINS = 2 * _ONE_SIGN + 1
_PASSED = ("BatchNormalization", "Dropout", "SpatialDropout2D")


@dataclass(frozen=True)
class ChannelStatistics:
    """Statistics of one layer over a number of `pictures`.

    `high`, float (channels,), is the 99.5th percentile of each channel, and `low`, float (channels,), the
    0.5th percentile, None if it was not measured. `dead`, bool (channels,), marks the channels that are zero
    for all pictures; it is None if the output is not followed by a rectifier, or if there were fewer than
    1,000 pictures. `zeros` is the share of values that are zero (below 2 to the -40). `histogram` is the one
    of all channels together, as `bars` returns it.
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
    """Return the layer that cuts off the channels of a layer at zero: itself, or a later one.

    Normalisation and dropout may lie between the two. The result is None if the output is used otherwise
    before (added, pooled), or if its activation passes negative values: such channels cannot be dead.
    """
    if activation_of(layer.output) in ("relu", "relu6"):
        return None if _leaks(layer) else layer
    if activation_of(layer.output) not in ("linear", None) or layer.kind == "InputLayer":
        return None
    users = [user for user in layers if layer.index in user.sources]
    if len(users) != 1 or users[0].input is not layer.output:
        return None
    if users[0].kind in _PASSED:
        return rectified(layers, users[0])
    follows = activation_of(users[0].output) in ("relu", "relu6") and users[0].kind in ("ReLU", "Activation")
    return users[0] if follows and not _leaks(users[0]) else None


def _leaks(layer: Layer) -> bool:
    return bool(getattr(layer.keras_layer, "negative_slope", 0) or getattr(layer.keras_layer, "threshold", 0))


@dataclass
class _Seen:
    """The counts of one layer until now."""

    layer: Layer
    counts: np.ndarray
    highest: np.ndarray
    cut: Layer | None = field(default=None)


def channel_statistics(
    model: keras.Model, layers: Sequence[Layer], shown: Sequence[Layer], batches: Iterable[np.ndarray]
) -> dict[str, ChannelStatistics]:
    """Compute the statistics of layers over many pictures, batch by batch.

    All values decide whether a channel is dead. The percentiles use the values at about 32 x 32 evenly spaced
    positions of each map; their relative error is at most a sixteenth.

    Args:
        model: the flat model.
        layers: all layers of the model.
        shown: the layers to look at, with feature maps or units.
        batches: preprocessed pictures, float32 (batch, height, width, channels).

    Returns:
        the statistics by layer path.

    Raises:
        ConvscopeError: a layer puts out values that are not finite.
    """
    seen = [
        _Seen(layer, np.zeros((layer.channels, _BINS), np.int32), np.zeros(layer.channels), cut)
        for layer, cut in ((layer, rectified(layers, layer)) for layer in shown)
    ]
    if not seen:
        return {}
    outputs = [_thinned(counts.layer) for counts in seen]
    cuts = [counts for counts in seen if counts.cut]
    outputs += [_highest(counts.cut.output) for counts in cuts if counts.cut]
    look = keras.Model(model.inputs[0], outputs)
    pictures = 0
    for batch in batches:
        maps = [np.asarray(output) for output in keras.tree.flatten(look.predict_on_batch(batch))]
        for each, values in zip(seen, maps, strict=False):
            if not np.isfinite(values).all():
                raise ConvscopeError(
                    f"layer {each.layer.path} puts out values that are not finite: the training "
                    "of the checkpoint diverged"
                )
            each.counts += _histograms(values.reshape(-1, values.shape[-1])).astype(np.int32)
        for each, highest in zip(cuts, maps[len(seen) :], strict=True):
            each.highest = np.maximum(each.highest, highest.max(axis=0))
        pictures += len(batch)
    return {
        each.layer.path: ChannelStatistics(
            pictures,
            _quantile(each.counts, QUANTILE),
            each.highest <= 0 if each.cut and pictures >= FEWEST else None,
            float(each.counts[:, _ONE_SIGN].sum(dtype=np.int64) / max(1, each.counts.sum(dtype=np.int64))),
            bars(each.counts.sum(axis=0, dtype=np.int64)),
            _quantile(each.counts, 1 - QUANTILE),
        )
        for each in seen
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

    The middle bin holds zero. The width of the others grows with the magnitude, like the steps between the
    leading bits of a float.
    """
    channels = values.shape[1]
    leading = np.abs(values).astype(np.float32).view(np.int32) >> (23 - _STEPS.bit_length() + 1)
    magnitude = np.clip(leading - (127 + _LOWEST) * _STEPS + 1, 0, _ONE_SIGN)
    index = np.where(values < 0, _ONE_SIGN - magnitude, _ONE_SIGN + magnitude)
    index += np.arange(channels) * _BINS
    return np.bincount(index.ravel(), minlength=channels * _BINS).reshape(channels, _BINS)


def bars(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a histogram of the values that are not zero in 40 equal steps.

    It reaches from their 0.5th to their 99.5th percentile. The values of a bin are assumed to be spread
    evenly.

    Args:
        counts: int (bins,) of `_histograms`, of one channel or the sum of several.

    Returns:
        the number of values of each step, float (40,), and the ends of the steps, float (41,), as
        `numpy.histogram` does.
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
