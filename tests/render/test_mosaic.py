import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope import images
from convscope.errors import ConvscopeError
from convscope.images import in_rgb
from convscope.render.lettering import FRAME
from convscope.render.levels import on_one_scale, standardize
from convscope.render.mosaic import Layout, Scale, Tiles, channel_picture, map_tiles, sheet

PLASMA = Scale("plasma", ("a", "b", "c"))


@pytest.mark.parametrize("shape", [(7, 7, 5), (30, 10, 3), (5, 12, 2), (200, 100, 2), (1, 1, 4)])
def test_tiles_keep_their_aspect(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=shape)
    tiles = map_tiles(standardize(maps))
    count, height, width = tiles.pixels.shape
    assert count == shape[2]
    assert max(height, width) <= 96
    assert height * shape[1] == width * shape[0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(16, 200))
def test_small_maps_are_enlarged_without_smoothing(height: int, width: int, max_tile: int) -> None:
    """Each value is a square of whole pixels, of the level that belongs to it."""
    maps = np.random.default_rng(0).normal(size=(height, width, 3))
    levels = standardize(maps)
    pixels = map_tiles(levels, layout=Layout(max_tile)).pixels
    if max(height, width) > max_tile:
        return
    factor = pixels.shape[1] // height
    whole = (levels.values.astype(int) * 224 // 256).repeat(factor, axis=1).repeat(factor, axis=2)
    np.testing.assert_array_equal(pixels, whole)


def test_large_maps_are_averaged() -> None:
    maps = np.random.default_rng(0).uniform(size=(64, 32, 2))
    levels = on_one_scale(maps, 0, 1)
    pixels = map_tiles(levels, layout=Layout(16)).pixels
    means = levels.values.reshape(2, 16, 4, 8, 4).mean(axis=(2, 4))
    assert pixels.shape == (2, 16, 8)
    assert np.abs(pixels - means * 224 / 256).max() <= 1.5  # rounded twice


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


def test_only_silent_tiles_are_hatched() -> None:
    pixels = np.full((2, 16, 16, 3), [10, 200, 30], np.uint8)
    picture = sheet(Tiles(pixels, np.array([True, False]), np.arange(2)), "layer", "x")
    assert ((picture == [10, 200, 30]).all(axis=2)).sum() == 256
    second = np.argwhere((picture == [10, 200, 30]).all(axis=2))[0, 1]
    hatched = picture[58:74, second - 18 : second - 2]
    for grey, count in (([194, 195, 197], 64), ([240, 240, 240], 192)):  # two and six of eight
        assert (np.abs(hatched.astype(int) - grey).max(axis=2) <= 1).sum() == count


def test_the_color_bar_shows_the_colors_of_the_map() -> None:
    tiles = Tiles(np.zeros((40, 20, 20), np.uint8), np.zeros(40, bool), np.arange(40))
    picture = in_rgb(sheet(tiles, "layer", "x", PLASMA))
    table = images.color_table("plasma")
    bar = picture[15, -162:-12]  # 150 pixels, before the margin
    np.testing.assert_array_equal(bar[[0, -1]], table[[0, 255]])
    assert all((table == color).all(axis=1).any() for color in bar)


def test_values_have_the_colors_of_the_map() -> None:
    """On one scale from 0 to 1: to within the 224 colours that a sheet has of the map's 256."""
    values = np.linspace(0.02, 1, 50)  # a single place that is zero would be hatched
    picture = in_rgb(sheet(map_tiles(on_one_scale(values[None, None], 0, 1)), "layer", "x", PLASMA))
    table = images.color_table("plasma").astype(int)
    for channel, value in enumerate(values):
        row, column = divmod(channel, 16)
        found = picture[58 + row * 26 + 12, -12 - 16 * 26 + 2 + column * 26 + 12]
        near = table[max(0, int(value * 255) - 2) : int(value * 255) + 4]
        assert (np.abs(near - found).max(axis=1) == 0).any(), channel


def test_tiles_have_the_given_order() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 4, 3))
    levels = standardize(maps)
    plain, turned = (
        map_tiles(levels, order=np.array(order), layout=Layout(16)) for order in ([0, 1, 2], [2, 0, 1])
    )
    np.testing.assert_array_equal(turned.pixels, plain.pixels[[2, 0, 1]])
    assert turned.channels.tolist() == [2, 0, 1]


def test_a_single_channel_is_enlarged_above_its_caption() -> None:
    values = np.array([[0, 255, 128], [10, 20, 30]], np.uint8)
    picture = in_rgb(channel_picture(values, hatched=False, caption="x, channel 0", color_map="gray"))
    height, width = picture.shape[:2]
    assert (height, width) == (2 * 133 + 24, 3 * 133 + 4)
    shown = picture[:266:133, 2:-2:133, 0].astype(int)
    assert np.abs(shown - values).max() <= 1
    assert (picture[268:] != 255).any()


@pytest.mark.parametrize("shape", [(100, 60), (3, 900), (900, 3)])
def test_a_channel_alone_takes_the_size_that_is_asked_for(shape: tuple[int, int]) -> None:
    picture = channel_picture(
        np.zeros(shape, np.uint8),
        hatched=False,
        caption="a caption that is much too long for it " * 9,
        color_map="gray",
        layout=Layout(width=406, height=406),
    )
    assert picture.shape == (406, 406)


@given(st.integers(1, 300), st.integers(1, 60), st.integers(1, 60), st.sampled_from([None, 8, 16]))
def test_a_sheet_of_a_given_size_has_every_channel(
    count: int, height: int, width: int, columns: int | None
) -> None:
    """Each tile has a level of its own, and at its place is found again, in a sheet of exactly that size."""
    maps = np.broadcast_to(np.arange(count) % 7, (height, width, count)).astype(float)
    layout = Layout(width=900, height=700, columns=columns)
    tiles = map_tiles(on_one_scale(maps, -1, 8), layout=layout)
    shown = Tiles(tiles.pixels, np.zeros(count, bool), tiles.channels, tiles.columns)
    picture = sheet(shown, "layer", "what " * 99, PLASMA, layout)
    assert picture.shape == (700, 900)
    down, across = tiles.pixels.shape[1:]
    assert columns is None or tiles.columns == min(columns, count)
    below = picture.indices[58:]  # type: ignore[union-attr]
    for level in range(7):
        of_level = int((np.arange(count) % 7 == level).sum())
        color = tiles.pixels[level, 0, 0] if level < count else 0
        assert (below == color).sum() == of_level * down * across or not of_level


def test_maps_of_one_row_are_averaged_too() -> None:
    maps = np.sin(0.98 * np.pi * np.arange(4096)).reshape(1, 4096, 1)  # nearly up and down in turn
    pixels = map_tiles(on_one_scale(maps, -1, 1), layout=Layout(96)).pixels
    assert np.abs(pixels.astype(int) - 112).max() < 12
    alone = channel_picture(
        on_one_scale(maps, -1, 1).values[0], hatched=False, caption="", color_map="gray",
        layout=Layout(width=400, height=100),
    )  # fmt: skip
    assert np.abs(alone.indices[37].astype(int) - 112).max() < 24  # type: ignore[union-attr]


def test_numbers_do_not_hide_tiles() -> None:
    maps = np.random.default_rng(0).normal(size=(1, 1, 300))
    order = np.arange(300)[::-1]
    for layout in (Layout(), Layout(width=900, height=700), Layout(width=320, height=200)):
        levels = on_one_scale(maps, -4, 4)
        tiles = map_tiles(levels, order=order, layout=layout)
        picture = sheet(tiles, "layer", "x", PLASMA, layout)
        shown = (picture.indices[58:] < 224).sum()  # type: ignore[union-attr]
        down, across = tiles.pixels.shape[1:]
        assert shown > 0.5 * 300 * down * across


def test_a_sheet_that_is_too_small_is_refused() -> None:
    levels = standardize(np.random.default_rng(0).normal(size=(4, 4, 500)))
    with pytest.raises(ConvscopeError, match="too small for 500 channels"):
        map_tiles(levels, layout=Layout(width=200, height=100))


def test_a_frame_is_around_its_tile() -> None:
    pixels = np.full((3, 10, 10, 3), 7, np.uint8)
    none = np.zeros(3, bool)
    plain = sheet(Tiles(pixels, none, np.arange(3)), "t", "s")
    framed = sheet(Tiles(pixels, none, np.arange(3), framed=np.array([False, True, False])), "t", "s")
    changed = (plain != framed).any(axis=2)
    assert changed.sum() == 14 * 14 - 10 * 10
    assert (framed[changed] == FRAME).all()


def test_channels_that_are_not_consecutive_are_numbered_on_pictures() -> None:
    black = np.zeros((2, 40, 40, 3), np.uint8)
    none = np.zeros(2, bool)
    one, other = (np.asarray(sheet(Tiles(black, none, np.array(c)), "t", "s")) for c in ([0, 1], [0, 7]))
    second = slice(58, 58 + 11), slice(-12 - 40, -12 - 40 + 8)  # the top left of the last picture
    assert one.shape == other.shape
    assert (one[second] == 0).all()
    assert (other[second] == 255).sum() > 100  # paper around the number
