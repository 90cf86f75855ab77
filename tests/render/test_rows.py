import numpy as np

from convscope.render import rows


def test_a_part_is_grey_outside_of_the_picture() -> None:
    pixels = np.full((20, 40, 3), 9, np.uint8)
    pixels[:5, :10] = 200
    tile = rows.part(
        pixels, (-0.25, -0.25, 0.25, 0.25), (10, 20)
    )  # 5 rows and 10 columns outside, as many in
    assert (tile[:5] == rows.OUTSIDE).all()
    assert (tile[:, :10] == rows.OUTSIDE).all()
    assert (tile[5:, 10:] == 200).all()
    far = rows.part(pixels, (0.75, 0.75, 1.25, 1.25), (10, 20))
    assert (far[:5, :10] == 9).all()
    assert (far[5:] == rows.OUTSIDE).all()
    assert (far[:, 10:] == rows.OUTSIDE).all()
    assert (rows.part(pixels, (1.5, 1.5, 2, 2), (3, 3)) == rows.OUTSIDE).all()
    assert (rows.part(pixels, (-1, -1, -0.5, -0.5), (3, 3)) == rows.OUTSIDE).all()


def test_a_mark_is_around_its_area_and_copies_the_tile() -> None:
    tile = np.full((40, 60, 3), 100, np.uint8)
    changed = (rows.marked(tile, (0.5, 0.25), (0.25, 0.25)) != tile).any(axis=-1)
    down, across = np.nonzero(changed)
    assert (down.min(), down.max(), across.min(), across.max()) == (13, 26, 6, 24)  # 10 by 15, and two around
    assert not changed[15:25, 8:22].any()
    assert (tile == 100).all()
    corner = (rows.marked(tile, (0, 1), (0.01, 0.01)) != tile).any(axis=-1)
    assert corner[:, :45].sum() == corner[20:].sum() == 0
    assert corner[0].any()
    assert corner[:, -1].any()


def test_rows_lie_in_two_columns_and_hatched_pictures_are_hidden() -> None:
    pixels = np.arange(10, dtype=np.uint8)[:, None, None, None, None].repeat(3, axis=4)
    pixels = (pixels * 10 + 3).repeat(2, axis=1).repeat(8, axis=2).repeat(8, axis=3)
    hatched = np.zeros((10, 2), bool)
    hatched[4, 1] = True
    drawn = rows.sheet(
        rows.Rows(pixels, hatched, [str(each) for each in range(10)], ["1"] * 10), "layer", "what"
    )
    places = {}
    for channel in range(10):
        down, across = np.nonzero((drawn == channel * 10 + 3).all(axis=-1))
        whole = 64 if channel == 4 else 128
        assert len(down) >= whole
        places[channel] = (np.median(down), np.median(across))
    assert len({places[channel][1] for channel in (0, 1, 2, 3)}) == 1
    assert places[5][1] > places[0][1]
    assert [places[each][0] for each in range(4)] == [places[each][0] for each in range(5, 9)]
