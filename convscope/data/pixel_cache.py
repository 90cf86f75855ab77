"""Decoded photographs in memory, because decoding them in every epoch takes time from the training."""

from collections.abc import Callable, Sequence

import numpy as np


class PixelCache:
    """Photographs of one size, uint8 (height, width, 3), each stored when it is first read; thread-safe."""

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        """Reserve the memory; the system provides it when it is written to."""
        self._pixels = np.empty((count, *size, 3), np.uint8)
        self._known = np.zeros(count, bool)

    def get(self, index: int, read: Callable[[], np.ndarray]) -> np.ndarray:
        """Return a photograph, read-only; `read` is called the first time."""
        if not self._known[index]:
            self._pixels[index] = read()
            self._known[index] = True
        pixels = self._pixels[index]
        pixels.flags.writeable = False
        return pixels


def needed(counts: Sequence[int], sizes: Sequence[tuple[int, int]]) -> int:
    """Return the bytes of caches for `counts` photographs of each of `sizes`, (height, width)."""
    return sum(3 * count * height * width for count, (height, width) in zip(counts, sizes, strict=True))
