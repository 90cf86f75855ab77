"""Logarithms of probabilities."""

import numpy as np


def logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Return the logarithms of probabilities (n, classes), float64; they are logits up to a constant.

    A probability of 0 counts as the lowest one that float32 can tell from 0: for two classes, which may come
    from one sigmoid unit, as 2^-25, else as 1e-45.
    """
    lowest = 2.0**-25 if probabilities.shape[1] == 2 else 1e-45
    return np.log(np.maximum(probabilities.astype(np.float64), lowest))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits (n, classes), float64."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
