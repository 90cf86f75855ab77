"""ROAD: remove pixels by imputation from their neighbours, and observe the probability of the class.

Y. Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods (2022).
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from convscope.vis.faithfulness.scores import Probability, most_relevant_first

SHARES = (0.2, 0.4, 0.6, 0.8)  # of the pixels that are removed
NOISE = 0.01  # standard deviation of the noise, as a share of the range of the picture
_NEIGHBOURS = {
    (row, column): 1 / 12 if row and column else 1 / 6
    for row in (-1, 0, 1)
    for column in (-1, 0, 1)
    if row or column
}


def road(probability: Probability, picture: np.ndarray, heat: np.ndarray, seed: int) -> float:
    """Return half of the difference of two probabilities, the mean over `SHARES`; chance is 0.

    One is the probability of the class without the least relevant pixels, the other without the most
    relevant ones. The largest value is 0.5.

    Args:
        probability: the classifier.
        picture: a preprocessed picture, float32 (height, width, channels).
        heat: float (height, width).
        seed: seed of the noise, and of the order of pixels with equal values.
    """
    order = most_relevant_first(heat, seed)
    rng = np.random.default_rng(seed)
    counts = [round(len(order) * share) for share in SHARES]
    removed = [order[-count:] for count in counts] + [order[:count] for count in counts]
    pictures = np.stack([_without(picture, pixels, rng) for pixels in removed])
    least, most = probability(pictures).reshape(2, len(SHARES)).mean(axis=1)
    return float(least - most) / 2


def _without(picture: np.ndarray, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    removed = np.zeros(picture.shape[:2], bool)
    removed.flat[pixels] = True
    result = imputed(picture, removed)
    noise = rng.normal(0, NOISE * float(np.ptp(picture)), (len(pixels), picture.shape[2]))
    result[removed] += noise.astype(np.float32)
    return result


def imputed(picture: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """Return the picture with each removed pixel replaced by the weighted mean of its neighbours.

    Direct neighbours have the weight 1/6, diagonal ones 1/12; at the edge of the picture, the mean is over
    those that exist. The neighbours may be removed, too: all pixels are the solution of one linear system.

    Args:
        picture: float32 (height, width, channels).
        removed: bool (height, width), with at least one pixel that is kept.
    """
    height, width = removed.shape
    rows, columns = np.nonzero(removed)
    unknown = np.full(removed.shape, -1)
    unknown[removed] = np.arange(len(rows))
    diagonal = np.zeros(len(rows))
    known = np.zeros((len(rows), picture.shape[2]))
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for (down, right), weight in _NEIGHBOURS.items():
        row, column = rows + down, columns + right
        (exists,) = np.nonzero((row >= 0) & (row < height) & (column >= 0) & (column < width))
        diagonal[exists] += weight
        neighbour = unknown[row[exists], column[exists]]
        is_known = neighbour < 0
        at = exists[is_known]
        known[at] += weight * picture[row[at], column[at]]
        others = exists[~is_known]
        entries.append((others, neighbour[~is_known], np.full(len(others), -weight)))
    entries.append((np.arange(len(rows)), np.arange(len(rows)), diagonal))
    equation, variable, value = map(np.concatenate, zip(*entries, strict=True))
    system = sparse.csc_matrix((value, (equation, variable)), shape=(len(rows), len(rows)))
    # The system is symmetric and positive definite. With other orders of elimination, random pixels take
    # minutes.
    solved = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    result = picture.copy()
    result[removed] = solved.solve(known)
    return result
