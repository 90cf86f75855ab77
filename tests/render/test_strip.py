import numpy as np
import pytest

from convscope.render.lettering import text_width, wrapped
from convscope.render.mosaic import Scale, Tiles
from convscope.render.strip import Strip, strip_sheet


def of_colors(channels: int, columns: int, side: int = 20) -> Strip:
    """Each tile has a colour of its own: red the channel, green the column."""
    tiles = []
    for column in range(columns):
        pixels = np.full((channels, side, side, 3), 77, np.uint8)
        pixels[..., 0] = np.arange(channels)[:, None, None] + 1
        pixels[..., 1] = column + 100
        tiles.append(Tiles(pixels, np.zeros(channels, bool), np.arange(channels)))
    titles = [f"model_{column}" for column in range(columns)]
    return Strip(tiles, titles, "layer", "what it is", Scale("viridis", ("a", "b", "c")))


@pytest.mark.parametrize("channels", [1, 2, 7, 16, 33])
@pytest.mark.parametrize("widest", [0, 300, 1400])
def test_every_tile_is_in_the_row_of_its_channel(channels: int, widest: int) -> None:
    picture = strip_sheet(of_colors(channels, 3), widest=widest)
    found = (picture[..., 2] == 77) & (picture[..., 1] >= 100) & (picture[..., 1] < 103)
    assert found.sum() == channels * 3 * 20**2
    if widest:
        assert picture.shape[1] <= max(widest + 24, 330)
    for channel in range(channels):
        rows, columns = np.nonzero(found & (picture[..., 0] == channel + 1))
        assert np.ptp(rows) == 19  # all in one row
        greens = picture[rows[columns.argsort()], np.sort(columns), 1]
        assert (np.diff(greens.astype(int)) >= 0).all()  # in the order of the columns
        assert len(rows) == 3 * 20**2


def test_blocks_fill_the_last_row() -> None:
    picture = strip_sheet(of_colors(32, 2, 72), widest=1400)
    found = (picture[..., 2] == 77) & (picture[..., 1] >= 100) & (picture[..., 1] < 102)
    rows = np.flatnonzero(found.any(axis=1))
    lowest = found[rows.max()]
    assert lowest.sum() == found[rows.min()].sum()  # the last row is full


def test_long_titles_are_wrapped_to_their_column() -> None:
    for text in ("2026-11-21_10-00-00", "a" * 40, "run_of_a_name\n0.1 %"):
        lines = wrapped(text, 11, 88, 6)
        assert "".join(lines).replace(" ", "") == text.replace("\n", "").replace(" ", "")
        assert max(text_width(line, 11) for line in lines) <= 88
    assert wrapped("a" * 200, 11, 88, 2)[1].endswith("…")
    assert wrapped("random", 11, 88, 2) == ["random"]
