"""Targets: the weight of each logit in the score that class activation explains.

A network with a single sigmoid unit has one logit: its sign decides between two classes.
"""

from dataclasses import dataclass

import numpy as np

NEAREST = 3  # classes that FinerCAM compares with


@dataclass(frozen=True)
class Target:
    """A score to explain: `title` is a class or "one − other"; `weights` is float32 (logits,)."""

    title: str
    weights: np.ndarray


def of_class(index: int, logits: int) -> np.ndarray:
    """Return the target of one class, float32 (logits,); of two classes with one logit, 0 gets minus."""
    if logits == 1:
        return np.array([1 if index == 1 else -1], np.float32)
    return np.eye(logits, dtype=np.float32)[index]


def of_difference(one: int, other: int, logits: int) -> np.ndarray:
    """Return the target of the difference of two logits: what speaks for `one` against `other`."""
    return of_class(one, logits) - of_class(other, logits)


def against_nearest(target: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return the target minus the weighted mean of the classes with the nearest logits.

    The weights are the probabilities of these classes, constants here. With one logit, the target is
    returned as it is: the other class is its negative.

    Z. Zhang et al., Finer-CAM: Spotting the Difference Reveals Finer Details for Visual Explanation (2025),
    with alpha = 1.

    Args:
        target: the target of one class, float32 (logits,).
        logits: the logits of the photograph, float32 (logits,).
    """
    if len(logits) == 1:
        return target
    index = int(np.argmax(target))
    distance = np.abs(logits - logits[index])
    distance[index] = np.inf
    nearest = np.argsort(distance, kind="stable")[: min(NEAREST, len(logits) - 1)]
    shares = np.exp(logits[nearest] - logits[nearest].max())
    result = target.copy()
    result[nearest] -= (shares / shares.sum()).astype(np.float32)
    return result
