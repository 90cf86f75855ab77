"""The grid pointing game: mosaics of four pictures. One of them has the class to explain.

M. Böhle, M. Fritz and B. Schiele, Convolutional Dynamic Alignment Networks for Interpretable Classifications
(2021). There, the mosaic is larger than the input; here, the pictures are half as wide and high, so that
networks with dense layers can be measured. Compare methods at the same layer: S. Rao, M. Böhle and
B. Schiele, Towards Better Understanding Attribution Methods (2022).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from convscope.images import cells
from convscope.vis.faithfulness.localisation import positive_share

ACROSS = 2  # pictures along a side
CONFIDENT = 0.5  # the lowest probability of a picture in a mosaic


@dataclass(frozen=True)
class Mosaic:
    """`members` are the indices of the pictures by cell, row by row; `own` is the cell to find."""

    members: tuple[int, ...]
    own: int


def mosaics(probabilities: np.ndarray, labels: np.ndarray, *, limit: int, seed: int) -> list[Mosaic]:
    """Return a mosaic for each picture that is classified correctly with a probability above 0.5.

    The other three pictures of a mosaic have other classes: three different ones if there are enough classes.

    Args:
        probabilities: float (n, classes).
        labels: the true classes, int (n,).
        limit: the maximum number of mosaics, for the most confident pictures.
        seed: seed of the other pictures and of the cells.
    """
    rng = np.random.default_rng(seed)
    certain = probabilities.max(axis=1)
    correct = np.flatnonzero((probabilities.argmax(axis=1) == labels) & (certain > CONFIDENT))
    result = []
    for picture in correct[np.argsort(-certain[correct], kind="stable")][:limit]:
        of_class = {
            label: correct[labels[correct] == label]
            for label in np.unique(labels[correct])
            if label != labels[picture]
        }
        if not of_class:
            return []
        others = rng.permutation(list(of_class))
        chosen = [int(rng.choice(of_class[others[index % len(others)]])) for index in range(ACROSS**2 - 1)]
        own = int(rng.integers(ACROSS**2))
        result.append(Mosaic((*chosen[:own], int(picture), *chosen[own:]), own))
    return result


def joined(pictures: np.ndarray) -> np.ndarray:
    """Return four pictures, float32 (4, height, width, channels), as a mosaic with the size of one."""
    _, height, width, _ = pictures.shape
    result = np.empty(pictures.shape[1:], np.float32)
    for picture, window in zip(pictures, cells(height, width, across=ACROSS), strict=True):
        rows, columns = result[window].shape[:2]
        small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
        result[window] = small.reshape(rows, columns, -1)
    return result


def own_share(heat: np.ndarray, own: int) -> float:
    """Return the share of the positive values of a map, float (height, width), in a cell; chance is 1/4."""
    mask = np.zeros(heat.shape, bool)
    mask[cells(*heat.shape, across=ACROSS)[own]] = True
    return positive_share(heat, mask)
