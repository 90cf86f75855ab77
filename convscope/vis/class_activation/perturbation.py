"""Methods that change the input and observe the score. They need no gradient, and many forward passes."""

from collections.abc import Callable

import numpy as np

from convscope.images import stretch
from convscope.vis.class_activation.at_input import baseline
from convscope.vis.class_activation.cut_model import CutModel

STRONGEST = 64  # channels of Score-CAM: those with the largest standard deviation
BATCH = 32  # changed pictures in one forward pass
MASKS = 1000  # of RISE
CELLS = 7  # cells of a RISE mask along a side
KEPT = 0.5  # the probability that RISE keeps a cell
PATCHES = 14  # positions of the occluding square along a side; the square covers two steps


def score_cam(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted sum of the strongest maps; a map's weight is the score that it keeps.

    Each map is enlarged, scaled from 0 to 1 and multiplied with the input. The weights are the softmax, over
    the maps, of the scores of these products minus the score of the zero input. Constant maps have no weight.

    H. Wang et al., Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks (2020),
    algorithm 1. The limit of the channels is that of Faster-Score-CAM.
    """
    maps, logits = cut.maps(inputs)
    heats = [_score_cam(cut, *each) for each in zip(inputs, maps, targets, strict=True)]
    return np.stack(heats), logits


def _score_cam(cut: CutModel, picture: np.ndarray, maps: np.ndarray, target: np.ndarray) -> np.ndarray:
    spread = maps.std(axis=(0, 1))
    chosen = np.argsort(-spread, kind="stable")[:STRONGEST]
    chosen = chosen[spread[chosen] > 0]
    if not len(chosen):
        return np.zeros(maps.shape[:2])
    masks = np.stack([_mask(maps[..., channel], picture.shape[:2]) for channel in chosen])
    scores = _scores(cut, lambda part: picture * masks[part][..., None], len(masks), target)
    (at_zero,) = _scores(cut, lambda part: np.zeros_like(picture)[None], 1, target)
    exponents = np.exp(scores - at_zero - (scores - at_zero).max())
    return np.maximum(maps[..., chosen] @ (exponents / exponents.sum()), 0)


def _mask(channel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a map that is enlarged and scaled from 0 to 1, float32 (height, width)."""
    large = stretch(channel, *shape[:2])
    return (large - large.min()) / max(float(np.ptp(large)), 1e-12)


def occlusion(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much the score falls if a square with the mean colour covers a position; it has a sign.

    The square covers two steps along each side and moves by one step. The heat of a position is the mean over
    the squares that cover it.

    M. D. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks (2014).
    """
    logits = cut.logits(inputs)
    scores = (logits * targets).sum(axis=1)
    heats = [_occlusion(cut, *each) for each in zip(inputs, targets, scores, strict=True)]
    return np.stack(heats), logits


def _occlusion(cut: CutModel, picture: np.ndarray, target: np.ndarray, score: float) -> np.ndarray:
    height, width = picture.shape[:2]
    rows, columns = (np.linspace(0, side, PATCHES + 1).round().astype(int) for side in (height, width))
    grey = baseline(picture[None])[0]
    corners = [(row, column) for row in range(-1, PATCHES) for column in range(-1, PATCHES)]

    def covered(part: slice) -> np.ndarray:
        pictures = np.repeat(picture[None], len(corners[part]), axis=0)
        for changed, (row, column) in zip(pictures, corners[part], strict=True):
            window = (
                slice(rows[max(row, 0)], rows[min(row + 2, PATCHES)]),
                slice(columns[max(column, 0)], columns[min(column + 2, PATCHES)]),
            )
            changed[window] = grey[window]
        return pictures

    falls = score - _scores(cut, covered, len(corners), target).reshape(PATCHES + 1, PATCHES + 1)
    return (falls[:-1, :-1] + falls[1:, :-1] + falls[:-1, 1:] + falls[1:, 1:]) / 4


def rise(cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how much random masks that show a position raise the score above its mean; it has a sign.

    A mask has random cells, enlarged and shifted. A hidden pixel has the mean colour. The paper weights the
    masks by probabilities; here the weights are the scores minus their mean, which has the same expectation
    up to a constant and less noise.

    V. Petsiuk, A. Das and K. Saenko, RISE: Randomized Input Sampling for Explanation of Black-box Models
    (2018).
    """
    rng = np.random.default_rng(seed)
    masks = _random_masks(rng, *inputs.shape[1:3])
    heats = []
    for picture, target in zip(inputs, targets, strict=True):
        grey = baseline(picture[None])[0]

        def shown(part: slice, picture: np.ndarray = picture, grey: np.ndarray = grey) -> np.ndarray:
            return grey + masks[part][..., None] * (picture - grey)

        scores = _scores(cut, shown, MASKS, target)
        heats.append(np.tensordot(scores - scores.mean(), masks, 1) / (MASKS * KEPT))
    return np.stack(heats), cut.logits(inputs)


def _random_masks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return masks from 0 to 1, float32 (MASKS, height, width): random cells, enlarged, randomly shifted."""
    down, across = -(-height // CELLS), -(-width // CELLS)  # the sides of a cell, rounded up
    cells = (rng.random((MASKS, CELLS + 1, CELLS + 1)) < KEPT).astype(np.float32)
    masks = np.empty((MASKS, height, width), np.float32)
    for mask, small in zip(masks, cells, strict=True):
        row, column = rng.integers(down), rng.integers(across)
        large = stretch(small, (CELLS + 1) * down, (CELLS + 1) * across)
        mask[:] = large[row : row + height, column : column + width]
    return masks


def _scores(cut: CutModel, make: Callable[[slice], np.ndarray], count: int, target: np.ndarray) -> np.ndarray:
    """Return the scores of `count` pictures, float64 (count,); `make` returns those of a slice."""
    parts = [slice(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
    logits = [cut.logits(make(part).astype(np.float32)) for part in parts]
    return (np.concatenate(logits) * target).sum(axis=1, dtype=np.float64)
