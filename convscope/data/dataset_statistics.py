"""Statistics of the training images: mean and standard deviation of their colour channels."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convscope.files import open_regular
from convscope.parallel import in_threads

MOST = 1000  # images; with more, only the second decimal changes


def pixel_statistics(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the mean and standard deviation of each channel over all pixels, 0 to 255.

    Args:
        paths: the images. At most 1,000 of them are read, evenly spaced.

    Returns:
        `{"mean": [red, green, blue], "deviation": [...], "images": number of images read}`.
    """
    step = max(1, -(-len(paths) // MOST))
    chosen = paths[::step]
    counts = sum(in_threads(_histogram, chosen), start=np.zeros((3, 256), np.int64))
    values = np.arange(256)
    total = counts.sum(axis=1)
    mean = counts @ values / total
    deviation = np.sqrt(counts @ values**2 / total - mean**2)
    return {
        "mean": [round(float(value), 2) for value in mean],
        "deviation": [round(float(value), 2) for value in deviation],
        "images": len(chosen),
    }


def channel_moments(batches: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel, float64 (3,), of batches (n, height, width, 3)."""
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for batch in batches:
        flat = batch.reshape(-1, 3).astype(np.float64)
        count += len(flat)
        total += flat.sum(axis=0)
        squares += (flat**2).sum(axis=0)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))


def _histogram(path: Path) -> np.ndarray:
    with open_regular(path) as file, Image.open(file) as image:
        return np.array(image.convert("RGB").histogram(), np.int64).reshape(3, 256)
