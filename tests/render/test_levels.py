import numpy as np
import pytest

from convscope.images import in_rgb
from convscope.render.levels import DIVERGING, around_zero, from_zero, on_one_scale, per_channel, standardize
from convscope.render.mosaic import HEADER, Layout, Scale, map_tiles, sheet


def test_standardize_by_hand() -> None:
    """Mean 0 and deviation 1: the values -1, 1 lie halfway to the ends, at 127.5 (1 ± 1/2)."""
    maps = np.array([[-1.0, 1.0], [1.0, -1.0]])[..., None] * 7 + 30
    found = standardize(maps)
    levels, silent = found.values, found.silent
    assert levels[0].tolist() == [[64, 191], [191, 64]]
    assert silent.tolist() == [False]


def test_values_beyond_two_deviations_are_cut() -> None:
    maps = np.zeros((10, 10, 1))
    maps[0, 0, 0] = 100
    levels = standardize(maps).values
    assert levels[0, 0, 0] == 255
    assert 110 < levels[0, 5, 5] < 128


@pytest.mark.parametrize("value", [0.0, -3.7, 1e30, 1e-30])
def test_a_channel_without_variation_is_silent_and_no_nan(value: float) -> None:
    maps = np.full((4, 5, 2), value, np.float32)
    maps[..., 1] = np.arange(20).reshape(4, 5)
    found = standardize(maps)
    levels, silent = found.values, found.silent
    assert silent.tolist() == [True, False]
    assert (levels[0] == 128).all()


def test_standardize_does_not_depend_on_the_scale_of_a_channel() -> None:
    maps = np.random.default_rng(0).normal(size=(6, 6, 3))
    np.testing.assert_array_equal(standardize(maps).values, standardize(maps * 4 + 9).values)


def test_one_scale_by_hand() -> None:
    """From -1 to 3: -1 is 0, 0 is a quarter of 255, 1 a half, 3 is 255, 7 is beyond and is cut."""
    maps = np.array([[-1.0, 0.0, 1.0, 3.0, 7.0]])[..., None]
    found = on_one_scale(maps, -1, 3)
    assert found.values[0, 0].tolist() == [0, 64, 128, 255, 255]
    assert found.labels == ("-1", "1", "3")
    assert not found.silent.any()


def test_on_one_scale_a_weak_channel_looks_weak() -> None:
    maps = np.random.default_rng(0).uniform(0, 1, (6, 6, 2))
    maps[..., 1] *= 0.01
    values = on_one_scale(maps, 0, 1).values
    assert values[0].max() > 200
    assert values[1].max() <= 3
    assert standardize(maps).values[1].max() > 200


def test_silent_channels_are_constant_or_zero_at_a_single_position() -> None:
    maps = np.zeros((4, 4, 3))
    maps[..., 1] = 5
    maps[0, 0, 2] = 1
    assert (
        on_one_scale(maps, 0, 5).silent.tolist() == standardize(maps).silent.tolist() == [True, True, False]
    )
    single = np.array([[[0.0, 2.0, -1.0]]])
    assert on_one_scale(single, -1, 2).silent.tolist() == [True, False, False]
    assert on_one_scale(maps, 5, 5).values.max() == 0  # a scale without width is no division by zero


def test_from_zero_by_hand() -> None:
    maps = np.float32([[[1, 1, -1], [2, 2, -3]]])  # one row of two places, three channels
    levels = from_zero(maps, np.array([2.0, 8.0, -0.5]), "its own")
    assert levels.values[:, 0].tolist() == [[128, 255], [32, 64], [0, 0]]
    assert levels.silent.tolist() == [False, False, False]
    assert levels.meaning == "each channel from 0 to its own"


def test_around_zero_keeps_negative_values_by_hand() -> None:
    """A share s of the bound is at 127.5 (1 + s): -1, -1/2, 0 and beyond 1."""
    maps = np.float32([[[-4, 3, 0], [-2, -3, 0], [0, 0, 0], [9, 1.5, 0]]])
    levels = around_zero(maps, np.array([4.0, 3.0, 0.0]), "its own")
    assert levels.values[:, 0].tolist() == [[0, 64, 128, 255], [255, 0, 128, 191], [128] * 4]
    assert levels.silent.tolist() == [False, False, True]
    assert levels.diverging
    assert levels.labels[1] == "0"
    assert not from_zero(maps, np.array([4.0, 3.0, 1.0]), "its own").diverging


def test_zero_is_the_lightest_color_of_the_diverging_map() -> None:
    """On a sheet, too, which keeps 224 of the 256 colours."""
    levels = around_zero(np.linspace(-1, 1, 201)[None, :, None], np.array([1.0]), "one")
    tiles = map_tiles(levels, layout=Layout(max_tile=402))
    sheet_ = in_rgb(sheet(tiles, "layer", "x", Scale(DIVERGING, levels.labels)))
    row = sheet_[HEADER, -12 - 402 : -12].astype(int)
    lightness = row.sum(axis=1)
    assert abs(int(lightness.argmax()) // 2 - 100) <= 1
    assert row[0, 2] > row[0, 0] + 50  # blue
    assert row[-1, 0] > row[-1, 2] + 50  # red


def test_maps_of_a_single_position_are_on_one_scale() -> None:
    """From -1 to 3: 0 is a quarter of 255. What is silent is zero."""
    found = per_channel(np.array([[[-1.0, 0.0, 3.0]]]))
    assert found.values[:, 0, 0].tolist() == [0, 64, 255]
    assert found.silent.tolist() == [False, True, False]
    assert found.labels == ("-1", "1", "3")
    column = np.array([[[-1.0, 5.0]], [[1.0, 7.0]]])  # of two places: each channel on its own scale
    np.testing.assert_array_equal(per_channel(column).values, standardize(column).values)
