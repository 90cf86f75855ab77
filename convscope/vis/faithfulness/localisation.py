"""Measures that compare a map with a mask of the evidence. Chance is the share of the mask in the picture."""

import numpy as np

from convscope.vis.faithfulness.scores import most_relevant_first


def positive_share(heat: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of the positive values of a map that lies in a mask: the relevance mass.

    Without positive values, it is the share of the mask in the picture.

    Args:
        heat: float (height, width).
        mask: bool (height, width).
    """
    positive = np.maximum(heat, 0)
    total = float(positive.sum())
    return float(positive[mask].sum()) / total if total > 0 else float(mask.mean())


def pointing(heat: np.ndarray, mask: np.ndarray) -> float:
    """Return 1 if the maximum of the map is in the mask, else 0; for several maxima, their share in it."""
    return float(mask[heat == heat.max()].mean())


def relevance_rank(heat: np.ndarray, mask: np.ndarray, seed: int) -> float:
    """Return the share of the most relevant pixels that lie in the mask, for as many pixels as it has.

    It does not depend on the scale of the map. For both measures of relevance: L. Arras, A. Osman and
    W. Samek, CLEVR-XAI: A benchmark dataset for the ground truth evaluation of neural network explanations
    (2022).
    """
    count = int(mask.sum())
    return float(mask.ravel()[most_relevant_first(heat, seed)[:count]].mean())
