import numpy as np

from convscope.render.sprite import sprite


def test_tiles_lie_row_by_row() -> None:
    tiles = np.arange(14, dtype=np.uint8)[:, None, None, None] * np.ones((14, 4, 8, 3), np.uint8)
    sheet, columns = sprite(tiles, 2)
    assert (columns, sheet.shape) == (2, (7 * 4, 2 * 8, 3))  # about as high as wide
    for index in range(14):
        line, column = divmod(index, columns)
        assert (sheet[line * 4 : line * 4 + 4, column * 8 : column * 8 + 8] == index).all()
    sheet, columns = sprite(tiles[:5], 4)
    assert columns == 4
    assert (sheet[4:, 8:] == 226).all()
