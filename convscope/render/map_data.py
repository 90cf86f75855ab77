"""Feature maps as 8-bit values for the scripts of the page, which colour them."""

import base64
from typing import Any

import cv2
import numpy as np

from convscope.render.data_script import packed
from convscope.render.levels import silent_channels

WHOLE = 2**20  # values of a layer that are stored at full size, at most
THUMBNAIL = 28  # longest side of a thumbnail in positions


def map_content(maps: np.ndarray, longest: int) -> dict[str, Any]:
    """Return the maps of a layer as JSON.

    Each channel is stored from its lowest value, 0, to its highest value, 255. Maps of more than 2^20 values
    are shrunk so that no side is longer than `longest`.

    Args:
        maps: float (height, width, channels), or (units,), which is stored as maps of one position.
        longest: the longest side of shrunk maps.
    """
    if maps.ndim == 1:
        maps = maps[None, None]
    channels = np.moveaxis(maps, -1, 0)
    low, high = channels.min(axis=(1, 2)), channels.max(axis=(1, 2))
    stored = _shrunk(channels, longest) if maps.size > WHOLE else channels
    return {
        "shape": list(maps.shape),
        "stored": list(stored.shape[1:]),
        "low": _rounded(low),
        "high": _rounded(high),
        "mean": _rounded(channels.mean(axis=(1, 2))),
        "zeros": _rounded((channels == 0).mean(axis=(1, 2))),
        "silent": np.flatnonzero(silent_channels(channels)).tolist(),
        "values": packed(_levels(stored, low, high)),
    }


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
