import numpy as np
import pytest

from convscope import images
from convscope.render.mosaic import Scale, Tiles, map_tiles, sheet, standardize


def test_standardize_by_hand() -> None:
    """Mean 0 and deviation 1: the values -1, 1 lie halfway to the ends, at 127.5 (1 ± 1/2)."""
    maps = np.array([[-1.0, 1.0], [1.0, -1.0]])[..., None] * 7 + 30
    levels, silent = standardize(maps)
    assert levels[0].tolist() == [[64, 191], [191, 64]]
    assert silent.tolist() == [False]


def test_values_beyond_two_deviations_are_cut() -> None:
    maps = np.zeros((10, 10, 1))
    maps[0, 0, 0] = 100
    levels, _ = standardize(maps)
    assert levels[0, 0, 0] == 255
    assert 110 < levels[0, 5, 5] < 128


@pytest.mark.parametrize("value", [0.0, -3.7, 1e30, 1e-30])
def test_a_channel_without_variation_is_silent_and_no_nan(value: float) -> None:
    maps = np.full((4, 5, 2), value, np.float32)
    maps[..., 1] = np.arange(20).reshape(4, 5)
    levels, silent = standardize(maps)
    assert silent.tolist() == [True, False]
    assert (levels[0] == 128).all()


def test_scale_does_not_matter_to_a_channel() -> None:
    maps = np.random.default_rng(0).normal(size=(6, 6, 3))
    np.testing.assert_array_equal(standardize(maps)[0], standardize(maps * 4 + 9)[0])


@pytest.mark.parametrize("shape", [(7, 7, 5), (30, 10, 3), (5, 12, 2), (200, 100, 2), (1, 1, 4)])
def test_tiles_keep_their_aspect(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=shape)
    tiles = map_tiles(maps, max_tile=96, color_map="viridis")
    count, height, width, _ = tiles.pixels.shape
    assert count == shape[2]
    assert max(height, width) <= 96
    assert height * shape[1] == width * shape[0]


def test_small_maps_are_enlarged_without_smoothing() -> None:
    maps = np.random.default_rng(0).normal(size=(3, 3, 1))
    tiles = map_tiles(maps, max_tile=30, color_map="gray")
    levels, _ = standardize(maps)
    assert tiles.pixels.shape == (1, 30, 30, 3)
    np.testing.assert_array_equal(tiles.pixels[0, 5::10, 5::10, 0], levels[0])
    assert set(np.unique(tiles.pixels)) == set(np.unique(levels))


@pytest.mark.parametrize("count", [1, 2, 5, 16, 17, 33, 100, 131])
def test_every_channel_is_on_the_sheet(count: int) -> None:
    """Each tile has a colour of its own; all of them are found again, whatever their number."""
    colors = np.stack([np.arange(count) + 1, np.full(count, 201), np.full(count, 77)], axis=1)
    pixels = np.broadcast_to(colors[:, None, None, :], (count, 12, 20, 3)).astype(np.uint8)
    picture = sheet(Tiles(pixels, np.zeros(count, bool)), "layer", "what it is")
    marked = (picture[..., 1] == 201) & (picture[..., 2] == 77)
    values, sizes = np.unique(picture[..., 0][marked], return_counts=True)
    assert values.tolist() == (np.arange(count) + 1).tolist()
    assert (sizes == 240).all()


def test_a_silent_tile_is_hatched_and_the_others_are_not() -> None:
    pixels = np.full((2, 16, 16, 3), [10, 200, 30], np.uint8)
    picture = sheet(Tiles(pixels, np.array([True, False])), "layer", "x")
    assert ((picture == [10, 200, 30]).all(axis=2)).sum() == 256
    for grey in (196, 236):
        assert ((picture == grey).all(axis=2)).sum() >= 60


def test_the_color_bar_runs_from_the_maps_first_color_to_its_last() -> None:
    pixels = np.zeros((40, 20, 20, 3), np.uint8)
    picture = sheet(Tiles(pixels, np.zeros(40, bool)), "layer", "x", Scale("plasma"))
    table = images.color_table("plasma")
    bar = picture[15, -162:-12]  # 150 pixels, before the margin
    np.testing.assert_array_equal(bar[[0, -1]], table[[0, 255]])
