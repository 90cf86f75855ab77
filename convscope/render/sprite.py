"""Sprite sheets: pictures of one size in one file, for the scripts of the page."""

import numpy as np


def sprite(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Return pictures side by side without gaps, row by row; the rest of the last row is grey.

    Args:
        tiles: uint8 (n, height, width, 3).
        columns: the number of pictures in a row.
    """
    count, height, width = tiles.shape[:3]
    rows = -(-count // columns)
    filled = np.full((rows * columns, height, width, 3), 128, np.uint8)
    filled[:count] = tiles
    grid = filled.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, 3)
