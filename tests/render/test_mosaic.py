import numpy as np
import pytest

from convscope import images
from convscope.render.levels import standardize
from convscope.render.mosaic import FRAME, Scale, Tiles, channel_picture, map_tiles, sheet


@pytest.mark.parametrize("shape", [(7, 7, 5), (30, 10, 3), (5, 12, 2), (200, 100, 2), (1, 1, 4)])
def test_tiles_keep_their_aspect(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=shape)
    tiles = map_tiles(standardize(maps), order=np.arange(shape[2]), max_tile=96, color_map="viridis")
    count, height, width, _ = tiles.pixels.shape
    assert count == shape[2]
    assert max(height, width) <= 96
    assert height * shape[1] == width * shape[0]


def test_small_maps_are_enlarged_without_smoothing() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 3, 1))
    levels = standardize(maps).values
    tiles = map_tiles(standardize(maps), order=np.arange(1), max_tile=30, color_map="gray")
    assert tiles.pixels.shape == (1, 30, 30, 3)
    np.testing.assert_array_equal(tiles.pixels[0, 5::10, 5::10, 0], levels[0])
    assert set(np.unique(tiles.pixels)) == set(np.unique(levels))


@pytest.mark.parametrize("count", [1, 2, 5, 16, 17, 33, 100, 131])
def test_every_channel_is_on_the_sheet(count: int) -> None:
    """Each tile has a colour of its own; all of them are found again, whatever their number."""
    colors = np.stack([np.arange(count) + 1, np.full(count, 201), np.full(count, 77)], axis=1)
    pixels = np.broadcast_to(colors[:, None, None, :], (count, 12, 20, 3)).astype(np.uint8)
    picture = sheet(Tiles(pixels, np.zeros(count, bool), np.arange(count)), "layer", "what it is")
    marked = (picture[..., 1] == 201) & (picture[..., 2] == 77)
    values, sizes = np.unique(picture[..., 0][marked], return_counts=True)
    assert values.tolist() == (np.arange(count) + 1).tolist()
    assert (sizes == 240).all()


def test_a_silent_tile_is_hatched_and_the_others_are_not() -> None:
    pixels = np.full((2, 16, 16, 3), [10, 200, 30], np.uint8)
    picture = sheet(Tiles(pixels, np.array([True, False]), np.arange(2)), "layer", "x")
    assert ((picture == [10, 200, 30]).all(axis=2)).sum() == 256
    for grey in (196, 236):
        assert ((picture == grey).all(axis=2)).sum() >= 60


def test_the_color_bar_runs_from_the_maps_first_color_to_its_last() -> None:
    pixels = np.zeros((40, 20, 20, 3), np.uint8)
    picture = sheet(
        Tiles(pixels, np.zeros(40, bool), np.arange(40)), "layer", "x", Scale("plasma", ("a", "b", "c"))
    )
    table = images.color_table("plasma")
    bar = picture[15, -162:-12]  # 150 pixels, before the margin
    np.testing.assert_array_equal(bar[[0, -1]], table[[0, 255]])


def test_tiles_come_in_the_order_that_is_asked_for() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 4, 3))
    levels = standardize(maps)
    plain, turned = (
        map_tiles(levels, order=np.array(order), max_tile=16, color_map="gray")
        for order in ([0, 1, 2], [2, 0, 1])
    )
    np.testing.assert_array_equal(turned.pixels, plain.pixels[[2, 0, 1]])
    assert turned.channels.tolist() == [2, 0, 1]


def test_a_channel_alone_is_enlarged_over_its_caption() -> None:
    values = np.array([[0, 255, 128], [10, 20, 30]], np.uint8)
    picture = channel_picture(values, hatched=False, caption="x, channel 0", color_map="gray")
    height, width = picture.shape[:2]
    assert (height, width) == (2 * 133 + 24, 3 * 133 + 4)
    np.testing.assert_array_equal(picture[:266:133, 2:-2:133, 0], values)
    assert (picture[268:] != 255).any()


def test_what_is_framed_has_its_frame_around_it_and_keeps_its_pixels() -> None:
    pixels = np.full((3, 10, 10, 3), 7, np.uint8)
    none = np.zeros(3, bool)
    plain = sheet(Tiles(pixels, none, np.arange(3)), "t", "s")
    framed = sheet(Tiles(pixels, none, np.arange(3), np.array([False, True, False])), "t", "s")
    changed = (plain != framed).any(axis=2)
    assert changed.sum() == 14 * 14 - 10 * 10
    assert (framed[changed] == FRAME).all()
