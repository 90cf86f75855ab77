"""Augmentation that deletes a cell: a network that is trained with it knows pictures without a cell.

The measurement `single deletion` of stage 3 deletes the same cells in the same way. R. Hesse,
S. Schaub-Meyer and S. Roth, Benchmarking the Attribution Quality of Vision Models (2024).
"""

import numpy as np

from convscope.data.augment import Augment
from convscope.images import CELLS_ACROSS, cells


def with_deleted_cells(augment: Augment | None, probability: float) -> Augment | None:
    """Return an augmentation that applies `augment`, then deletes one random cell with a probability.

    Of 4 x 4 cells, one gets the mean colour of the picture. The result is thread-safe, and the same seed
    gives the same result.
    """
    if probability == 0:
        return augment

    def delete(pixels: np.ndarray, seed: int) -> np.ndarray:
        changed = pixels.copy() if augment is None else augment(pixels, seed)
        generator = np.random.default_rng((seed, CELLS_ACROSS))  # independent of the values of `augment`
        if generator.random() < probability:
            windows = cells(*changed.shape[:2], across=CELLS_ACROSS)
            mean = changed.mean(axis=(0, 1))
            window = windows[generator.integers(len(windows))]
            changed[window] = np.round(mean) if changed.dtype == np.uint8 else mean
        return changed

    return delete
