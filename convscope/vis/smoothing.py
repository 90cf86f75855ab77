"""Smoothing of a sequence of arrays in time."""

import numpy as np


class Smoothing:
    """Exponential smoothing: `share` times the previous result plus 1 - `share` times the new array."""

    def __init__(self, share: float) -> None:
        """Set the share, 0 to below 1; 0 returns each array as it is."""
        self._share = share
        self._previous: np.ndarray | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the smoothed array; the first one is returned as it is."""
        if self._previous is not None and self._share:
            values = self._share * self._previous + (1 - self._share) * values
        self._previous = values
        return values

    def restart(self) -> None:
        """Forget the previous arrays."""
        self._previous = None
