"""Maps that know nothing of the network: what a method must be better than."""

import numpy as np


def random_map(height: int, width: int, seed: int) -> np.ndarray:
    """Return independent values from 0 to 1, float64 (height, width)."""
    return np.random.default_rng(seed).random((height, width))


def centred_gaussian(height: int, width: int) -> np.ndarray:
    """Return a bell with its maximum in the middle, float64 (height, width).

    Its standard deviation is a quarter of the height and of the width.
    """
    down, across = (np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 4)) ** 2) for n in (height, width))
    return np.outer(down, across)


CONTROLS = {"random": "Random map", "gaussian": "Centred Gaussian"}


def control(name: str, height: int, width: int, seed: int) -> np.ndarray:
    """Return a map of `CONTROLS`, float64 (height, width)."""
    return random_map(height, width, seed) if name == "random" else centred_gaussian(height, width)
