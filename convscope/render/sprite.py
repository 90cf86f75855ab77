"""Many small pictures of one size in one picture."""

import math

import numpy as np


def sprite(tiles: np.ndarray, per_row: int) -> tuple[np.ndarray, int]:
    """Return tiles side by side in a picture that is about as high as wide, row by row.

    Args:
        tiles: uint8 (n, height, width, 3), at least one.
        per_row: the number of columns is a multiple of this number.

    Returns:
        uint8 (height, width, 3), and the number of columns. The rest of the last row is light grey.
    """
    count, height, width, _ = tiles.shape
    columns = per_row * max(1, round(math.sqrt(count * height / width) / per_row))
    lines = -(-count // columns)
    sheet = np.full((lines * columns, height, width, 3), 226, np.uint8)
    sheet[:count] = tiles
    grid = sheet.reshape(lines, columns, height, width, 3).swapaxes(1, 2)
    return grid.reshape(lines * height, columns * width, 3), columns
