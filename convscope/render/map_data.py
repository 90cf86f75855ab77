"""Feature maps as 8-bit values for the scripts of the page, which colour them."""

import base64
from typing import Any

import cv2
import numpy as np

from convscope.render.data_script import compressed
from convscope.render.levels import silent_channels

WHOLE = 2**20  # values of a layer that are stored at full size, at most
THUMBNAIL = 28  # longest side of a thumbnail in positions


def map_content(maps: np.ndarray, longest: int, channels: int | None = None) -> dict[str, Any]:
    """Return the maps of a layer as JSON.

    Each channel is stored from its lowest value, 0, to its highest value, 255. Maps of more than 2^20 values
    are shrunk so that no side is longer than `longest`.

    Args:
        maps: float (height, width, channels), or (units,), which is stored as maps of one position.
        longest: the longest side of shrunk maps.
        channels: the number of channels that are stored, those with the largest mean; None stores all. The
            numbers are those of all channels. `kept` has the indices of the stored ones.
    """
    if maps.ndim == 1:
        maps = maps[None, None]
    all_channels = np.moveaxis(maps, -1, 0)
    low, high = all_channels.min(axis=(1, 2)), all_channels.max(axis=(1, 2))
    mean = all_channels.mean(axis=(1, 2))
    content = {
        "shape": list(maps.shape),
        "low": _rounded(low),
        "high": _rounded(high),
        "mean": _rounded(mean),
        "zeros": _rounded((all_channels == 0).mean(axis=(1, 2))),
        "silent": np.flatnonzero(silent_channels(all_channels)).tolist(),
    }
    if channels is not None and channels < len(all_channels):
        kept = np.sort(np.argsort(-np.abs(mean), kind="stable")[:channels])
        content["kept"] = kept.tolist()
        all_channels, low, high = all_channels[kept], low[kept], high[kept]
    stored = _shrunk(all_channels, longest) if maps.size > WHOLE else all_channels
    return {**content, "stored": list(stored.shape[1:]), **_smallest(_levels(stored, low, high))}


def _smallest(levels: np.ndarray) -> dict[str, Any]:
    """Return levels, uint8 (channels, height, width), packed in the shorter of two ways.

    Smooth maps are shorter as differences from a prediction, sparse maps as they are.
    """
    plain, predicted = (
        compressed(levels.tobytes()),
        compressed(_residuals(levels).tobytes(), differences=True),
    )
    shorter = min(plain, predicted, key=len)
    return {"values": base64.b64encode(shorter).decode(), "predicted": shorter is predicted}


def _residuals(levels: np.ndarray) -> np.ndarray:
    """Return the differences, modulo 256, from the median of left, upper, and left + upper - upper left.

    This is the predictor of JPEG-LS (Weinberger et al., 2000); `restore` of maps.js is its inverse.
    """
    padded = np.pad(levels, ((0, 0), (1, 0), (1, 0)))
    left, upper, corner = padded[:, 1:, :-1], padded[:, :-1, 1:], padded[:, :-1, :-1]
    low, high = np.minimum(left, upper), np.maximum(left, upper)
    plane = left + upper - corner  # modulo 256; used only where it lies between the two
    return levels - np.where(corner >= high, low, np.where(corner <= low, high, plane))


def thumbnail(maps: np.ndarray) -> dict[str, Any]:
    """Return the strongest map of a layer, small, as JSON: the channel with the highest mean.

    Args:
        maps: float (height, width, channels).
    """
    channel = int(np.abs(maps).mean(axis=(0, 1)).argmax())
    small = _shrunk(maps[None, ..., channel], THUMBNAIL)
    levels = _levels(small, small.min(axis=(1, 2)), small.max(axis=(1, 2)))
    values = base64.b64encode(levels.tobytes()).decode()
    return {"channel": channel, "stored": list(small.shape[1:]), "values": values}


def _shrunk(channels: np.ndarray, longest: int) -> np.ndarray:
    """Return maps, (channels, height, width), shrunk by averaging so that no side is longer."""
    height, width = channels.shape[1:]
    factor = longest / max(height, width)
    if factor >= 1:
        return channels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.stack(
        [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in channels.astype(np.float32)]
    )


def _levels(channels: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    span = np.where(high > low, high - low, 1)[:, None, None]
    return np.clip(np.round((channels - low[:, None, None]) / span * 255), 0, 255).astype(np.uint8)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
