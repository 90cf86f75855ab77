"""What channels do over many pictures: how strong their strong responses are, and which never respond."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer, activation_of

QUANTILE = 0.995
FEWEST = 1000  # pictures, before a channel is called dead
_PLACES = 32  # along a side of a map that are looked at for the quantile, about
BARS = 40  # of a histogram that is drawn
_STEPS = 16  # bins an octave: each is a sixteenth of its power of two wide
_LOWEST, _OCTAVES = -40, 80  # the smallest magnitude is 2 to the -40; what is below counts as zero
_ONE_SIGN = _OCTAVES * _STEPS
_BINS = 2 * _ONE_SIGN + 1
_PASSED = ("BatchNormalization", "Dropout", "SpatialDropout2D")


@dataclass(frozen=True)
class ChannelStatistics:
    """Of one layer: `pictures` seen, the 99.5th percentile of each channel, and which of them are dead.

    `high` is float (channels,); `dead` is bool (channels,), or None where it cannot be told: the output is
    not followed by a rectifier, or fewer than 1,000 pictures were seen. `zeros` is the share of values that
    are zero (below 2 to the -40), and `histogram` that of all channels together, as of `bars`. `low` is the
    0.5th percentile of each channel, float (channels,), or None where it was not measured.
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
    """Where the layer's channels are cut off at zero: in itself, or by what follows through normalisation.

    None if its output is used otherwise before (added, pooled), or its activation passes negative values:
    such channels cannot be dead.
    """
    if activation_of(layer.output) in ("relu", "relu6"):
        return None if _leaks(layer) else layer
    if activation_of(layer.output) not in ("linear", None) or layer.kind == "InputLayer":
        return None
    users = [each for each in layers if layer.index in each.sources]
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
    """What was seen of one layer so far."""

    layer: Layer
    counts: np.ndarray
    highest: np.ndarray
    cut: Layer | None = field(default=None)


def channel_statistics(
    model: keras.Model, layers: Sequence[Layer], shown: Sequence[Layer], batches: Iterable[np.ndarray]
) -> dict[str, ChannelStatistics]:
    """Look at what layers put out over many pictures, a batch at a time.

    Whether a channel is dead is told from every value. The percentile is that of the values at about 32 x 32
    places of each map, at even distances, and exact to a sixteenth.

    Args:
        model: the flat one.
        layers: all of it.
        shown: those that are looked at: with feature maps or units.
        batches: preprocessed pictures, float32 (batch, height, width, channels).

    Returns:
        by the layer's path.

    Raises:
        ConvscopeError: a layer puts out values that are not finite.
    """
    seen = [
        _Seen(layer, np.zeros((layer.channels, _BINS), np.int32), np.zeros(layer.channels), cut)
        for layer, cut in ((layer, rectified(layers, layer)) for layer in shown)
    ]
    if not seen:
        return {}
    outputs = [_thinned(each.layer) for each in seen]
    cuts = [each for each in seen if each.cut]
    outputs += [_highest(each.cut.output) for each in cuts if each.cut]
    look = keras.Model(model.inputs[0], outputs)
    pictures = 0
    for batch in batches:
        found = [np.asarray(each) for each in keras.tree.flatten(look.predict_on_batch(batch))]
        for each, values in zip(seen, found, strict=False):
            if not np.isfinite(values).all():
                raise ConvscopeError(
                    f"layer {each.layer.path} puts out values that are not finite: the checkpoint is from "
                    "a training that diverged"
                )
            each.counts += _histograms(values.reshape(-1, values.shape[-1])).astype(np.int32)
        for each, highest in zip(cuts, found[len(seen) :], strict=True):
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
    """The layer's output at places that are at even distances."""
    if not layer.has_maps:
        return layer.output
    steps = [max(1, round((side or _PLACES) / _PLACES)) for side in layer.shape[:2]]
    return layer.output[:, :: steps[0], :: steps[1]]


def _highest(output: object) -> object:
    """Of each picture and channel."""
    places = tuple(range(1, len(output.shape) - 1))  # type: ignore[attr-defined]
    return keras.ops.max(output, axis=places) if places else output


def _histograms(values: np.ndarray) -> np.ndarray:
    """How many of a channel's values, float32 (n, channels), are in each bin: int (channels, bins).

    The middle bin has zero; from it outwards bins grow with the magnitude, as the leading bits of a float do.
    """
    channels = values.shape[1]
    leading = np.abs(values).astype(np.float32).view(np.int32) >> (23 - _STEPS.bit_length() + 1)
    magnitude = np.clip(leading - (127 + _LOWEST) * _STEPS + 1, 0, _ONE_SIGN)
    place = np.where(values < 0, _ONE_SIGN - magnitude, _ONE_SIGN + magnitude)
    place += np.arange(channels) * _BINS
    return np.bincount(place.ravel(), minlength=channels * _BINS).reshape(channels, _BINS)


def bars(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A histogram in 40 equal steps, of values that are not zero, from one whose bins grow.

    It goes from their 0.5th to their 99.5th percentile; the values of a bin are taken to be spread evenly.

    Args:
        counts: int (bins,), of `_histograms`, one channel's or the sum of several.

    Returns:
        how many values each step has, float (40,), and the steps' ends, float (41,), as of `numpy.histogram`.
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
    """The magnitudes between which the bins of one sign are: float (bins of a sign + 1,)."""
    octave, step = np.divmod(np.arange(_ONE_SIGN + 1), _STEPS)
    return 2.0 ** (octave + _LOWEST) * (1 + step / _STEPS)


def _quantile(counts: np.ndarray, share: float) -> np.ndarray:
    """The value below which a share of each channel's values is, from its histogram: float (channels,)."""
    edges = _edges()
    low = np.concatenate([-edges[:0:-1], [0.0], edges[:-1]])
    high = np.concatenate([-edges[-2::-1], [0.0], edges[1:]])
    cumulative = counts.cumsum(axis=1, dtype=np.int64)
    wanted = share * cumulative[:, -1]
    found = (cumulative < wanted[:, None]).sum(axis=1)
    rows = np.arange(len(counts))
    before = cumulative[rows, found] - counts[rows, found]
    inside = (wanted - before) / np.maximum(counts[rows, found], 1)
    return low[found] + inside * (high[found] - low[found])
