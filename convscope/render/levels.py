"""Feature maps as levels of a colour scale, and the values at the ends of the scale."""

from dataclasses import dataclass

import numpy as np

DEVIATIONS = 2.0  # standard deviations from the middle to the ends of the scale of `standardize`
DIVERGING = "RdBu_r"  # the colour map of levels with zero in the middle: blue, white, red


@dataclass(frozen=True)
class Levels:
    """A layer's maps as levels of a colour scale.

    `values` is uint8 (channels, height, width). `silent`, bool (channels,), marks the constant channels (for
    maps with a single position, the channels that are zero). `labels` are the values at the low end, in the
    middle and at the high end of the scale; `meaning` describes the scale in a caption. `diverging` is true
    if zero is in the middle of the scale; such levels need the colour map `DIVERGING`.
    """

    values: np.ndarray
    silent: np.ndarray
    labels: tuple[str, str, str]
    meaning: str
    diverging: bool = False


def standardize(maps: np.ndarray) -> Levels:
    """Scale each channel separately: the middle is its mean, the ends are two standard deviations away.

    F. Chollet, Deep Learning with Python (2017), listing 5.31, with a fix for constant channels, where the
    listing divides by zero.

    Args:
        maps: float (height, width, channels), finite.
    """
    channels = _channels_first(maps)
    mean = channels.mean(axis=(1, 2), keepdims=True)
    deviation = channels.std(axis=(1, 2), keepdims=True)
    silent = _without_variation(channels)
    standard = (channels - mean) / np.where(silent[:, None, None], 1, deviation)
    levels = np.round((standard / DEVIATIONS + 1) * 127.5)
    levels = np.where(silent[:, None, None], 128, levels)
    values = np.clip(levels, 0, 255).astype(np.uint8)
    return Levels(values, silent, ("−2 σ", "mean", "+2 σ"), "each channel on its own scale, its mean ± 2 σ")


def on_one_scale(maps: np.ndarray, low: float, high: float) -> Levels:
    """Scale all channels from `low` to `high`; values outside get the colour of the nearer end.

    Args:
        maps: float (height, width, channels), finite.
        low: the value at the dark end.
        high: the value at the bright end, at least `low`.
    """
    channels = _channels_first(maps)
    share = (channels - low) / (high - low) if high > low else np.zeros_like(channels)
    values = np.clip(np.round(share * 255), 0, 255).astype(np.uint8)
    labels = (f"{low:.3g}", f"{(low + high) / 2:.3g}", f"{high:.3g}")
    return Levels(
        values, silent_channels(channels), labels, f"all channels on one scale, {labels[0]} to {labels[2]}"
    )


def from_zero(maps: np.ndarray, high: np.ndarray, end: str) -> Levels:
    """Scale each channel from 0 to its value in `high`, so that a weak response looks weak.

    Args:
        maps: float (height, width, channels), finite.
        high: float (channels,), the values at the bright end; a channel with 0 or less is dark.
        end: a description of these values for captions.
    """
    channels = _channels_first(maps)
    tops = high[:, None, None]
    share = np.where(tops > 0, channels / np.where(tops > 0, tops, 1), 0)
    values = np.clip(np.round(share * 255), 0, 255).astype(np.uint8)
    meaning = f"each channel from 0 to {end}"
    return Levels(values, silent_channels(channels), ("0", "half", "99.5 %"), meaning)


def around_zero(maps: np.ndarray, bound: np.ndarray, end: str) -> Levels:
    """Scale each channel from minus to plus its value in `bound`, with zero in the middle of the scale.

    Args:
        maps: float (height, width, channels), finite.
        bound: float (channels,), 0 or more, the magnitude at both ends; 0 gives the middle level everywhere.
        end: a description of the bounds for captions.
    """
    channels = _channels_first(maps)
    bounds = bound[:, None, None]
    share = np.where(bounds > 0, channels / np.where(bounds > 0, bounds, 1), 0)
    values = np.clip(np.round((share + 1) * 127.5), 0, 255).astype(np.uint8)
    meaning = f"each channel from minus to plus its bound ({end}), zero in the middle"
    return Levels(values, silent_channels(channels), ("−bound", "0", "bound"), meaning, diverging=True)


def _channels_first(maps: np.ndarray) -> np.ndarray:
    return np.moveaxis(maps, -1, 0).astype(np.float64)


def silent_channels(channels: np.ndarray) -> np.ndarray:
    """Return the silent channels of maps (channels, height, width): constant, or, if single values, zero.

    The result is bool (channels,).
    """
    single = channels.shape[1] * channels.shape[2] == 1
    return (channels == 0)[:, 0, 0] if single else _without_variation(channels)


def _without_variation(channels: np.ndarray) -> np.ndarray:
    """Return the channels that are constant within the rounding of float32, bool (channels,)."""
    largest = np.abs(channels).max(axis=(1, 2))
    return channels.std(axis=(1, 2)) <= 1e-6 * largest


def per_channel(maps: np.ndarray) -> Levels:
    """Scale each channel with `standardize`, or all channels alike if the maps have a single position.

    Args:
        maps: float (height, width, channels), finite.
    """
    if maps.shape[:2] == (1, 1):
        return on_one_scale(maps, float(maps.min()), float(maps.max()))
    return standardize(maps)
