"""Ranks, rank correlation and probabilities: what the measures have in common."""

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from convscope.graph import of_logits

# Returns the logits, float32 (batch, logits), of preprocessed pictures, float32 (batch, height, width,
# channels).
Logits = Callable[[np.ndarray], np.ndarray]

# Returns the probability of one class, float64 (batch,), of such pictures.
Probability = Callable[[np.ndarray], np.ndarray]


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation of two arrays of one size; 0 if one of them is constant."""
    ranks = [rankdata(values.ravel()) for values in (one, other)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def most_relevant_first(heat: np.ndarray, seed: int) -> np.ndarray:
    """Return the flat indices of a map, the highest values first; equal values are in a random order."""
    shuffled = np.random.default_rng(seed).permutation(heat.size)
    return shuffled[np.argsort(-heat.ravel()[shuffled], kind="stable")]


def probability(logits: np.ndarray, target: np.ndarray, activation: str | None) -> np.ndarray:
    """Return the probability of the class of a target, float64 (batch,).

    Args:
        logits: float32 (batch, logits); one logit decides between two classes.
        target: the target of one class, float32 (logits,), from `targets.of_class`.
        activation: see `of_logits`.
    """
    index = int(target[0] > 0) if len(target) == 1 else int(target.argmax())
    return of_logits(logits, activation)[:, index]
