"""Measures that change the picture and observe the class: single deletion, deletion and insertion."""

import numpy as np
from scipy import ndimage

from convscope.images import CELLS_ACROSS, cells
from convscope.vis.class_activation.at_input import baseline
from convscope.vis.faithfulness.scores import Logits, Probability, most_relevant_first, spearman

STEPS = 10  # steps of deletion and insertion
BLUR = 5  # standard deviation of the blur that insertion starts from, in pixels


def cell_drops(logits: Logits, picture: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return by how much the score falls if a cell gets the mean colour of the picture, float64 (4, 4).

    Args:
        logits: the classifier.
        picture: a preprocessed picture, float32 (height, width, channels).
        target: the weights of the logits in the score, float32 (logits,).
    """
    windows = cells(*picture.shape[:2], across=CELLS_ACROSS)
    pictures = np.repeat(picture[None], len(windows) + 1, axis=0)
    grey = baseline(picture[None])[0]
    for changed, window in zip(pictures, windows, strict=False):  # the last picture is not changed
        changed[window] = grey[window]
    scores = (logits(pictures) * target).sum(axis=1, dtype=np.float64)
    return (scores[-1] - scores[:-1]).reshape(CELLS_ACROSS, CELLS_ACROSS)


def single_deletion(drops: np.ndarray, heat: np.ndarray) -> float:
    """Return Spearman's correlation, over the cells, of the drops and the sum of the map; chance is 0.

    R. Hesse, S. Schaub-Meyer and S. Roth, Benchmarking the Attribution Quality of Vision Models (2024).

    Args:
        drops: from `cell_drops`.
        heat: float (height, width).
    """
    return spearman(
        drops, np.array([heat[window].sum() for window in cells(*heat.shape, across=CELLS_ACROSS)])
    )


def deletion(probability: Probability, picture: np.ndarray, heat: np.ndarray, seed: int) -> float:
    """Return the area below the probability while pixels get the mean colour, the most relevant first.

    V. Petsiuk, A. Das and K. Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models
    (2018). A faithful map gives a small area.
    """
    pictures = _exchanged(picture, baseline(picture[None])[0], most_relevant_first(heat, seed))
    return _area(probability(pictures))


def insertion(probability: Probability, picture: np.ndarray, heat: np.ndarray, seed: int) -> float:
    """Return the area below the probability while the pixels of a blurred picture get sharp.

    The most relevant pixels are first; see `deletion`. A faithful map gives a large area.
    """
    blurred = ndimage.gaussian_filter(picture, (BLUR, BLUR, 0))
    pictures = _exchanged(blurred, picture, most_relevant_first(heat, seed))
    return _area(probability(pictures))


def _exchanged(start: np.ndarray, end: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return pictures in which 0 to all of the pixels of `start` are those of `end`, in equal steps."""
    pictures = np.repeat(start[None], STEPS + 1, axis=0)
    for step in range(STEPS + 1):
        pixels = order[: round(len(order) * step / STEPS)]
        flat = pictures[step].reshape(len(order), -1)
        flat[pixels] = end.reshape(len(order), -1)[pixels]
    return pictures


def _area(values: np.ndarray) -> float:
    return float(np.trapezoid(values, dx=1 / STEPS))
