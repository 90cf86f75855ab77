"""Sheets with a tile for each channel of a layer."""

from dataclasses import dataclass

import cv2
import numpy as np

from convscope import images
from convscope.errors import ConvscopeError
from convscope.images import Indexed
from convscope.render.canvas import LEVELS, Canvas, reduced
from convscope.render.lettering import FAINT, FRAME, Label, cut, text_width
from convscope.render.levels import Levels

GAP = 2  # pixels between tiles
MARGIN = 12
HEADER = 58  # pixels above the tiles
BAR = 150  # width of the colour bar in pixels
_SINGLE = 24  # side of a tile in pixels if its map is a single value
_MANY = 64  # side of a tile in pixels if there are more than 32
_NUMBER = 11  # height of a number on a tile in pixels
_ALONE = 400  # the longer side of a channel that is drawn alone, in pixels
_LINE = 24  # height of the text below it in pixels


@dataclass(frozen=True)
class Layout:
    """The layout of a sheet. None leaves a size to the number and the size of the tiles.

    `max_tile` is the maximum of a tile's longer side in pixels; it applies if `width` is None. `columns` is
    the number of tiles in a row. `width` and `height` are those of the sheet, and `gap` is the space between
    tiles, all in pixels.
    """

    max_tile: int = 96
    columns: int | None = None
    width: int | None = None
    height: int | None = None
    gap: int = GAP


@dataclass(frozen=True)
class Tiles:
    """Pictures of one size, one for each channel.

    `pixels` is uint8 (channels, height, width, 3), or (channels, height, width) of levels 0..223 of a colour
    map. `silent`, bool (channels,), marks the channels that are drawn as hatching. `channels`, int
    (channels,), are the indices of the channels. `columns` is the number of tiles in a row; None follows the
    size of the tiles. `framed`, bool (channels,), marks the tiles with a frame.
    """

    pixels: np.ndarray
    silent: np.ndarray
    channels: np.ndarray
    columns: int | None = None
    framed: np.ndarray | None = None


@dataclass(frozen=True)
class Scale:
    """A colour map and the labels of its low end, its middle and its high end."""

    color_map: str
    labels: tuple[str, str, str]


def map_tiles(
    levels: Levels,
    *,
    order: np.ndarray | None = None,
    layout: Layout = Layout(),
    dead: np.ndarray | None = None,
) -> Tiles:
    """Return feature maps as tiles of levels with the same aspect.

    Small maps are enlarged by an integer factor, so that each value is a square. Large maps are averaged.

    Args:
        levels: the levels of the maps.
        order: int (channels,), the channels in the order of their tiles; None keeps the order of the layer.
        layout: the layout of the sheet that the tiles must fit into.
        dead: bool (channels,), the channels that get a frame.

    Raises:
        ConvscopeError: the sheet is too small for the number of channels.
    """
    if order is None:
        order = np.arange(len(levels.values))
    columns, height, width = _arrange(levels.values.shape, layout)
    values = levels.values[order]
    count, rows, across = values.shape
    if height < rows or width < across:
        small = reduced(np.stack([images.resize(channel, height, width) for channel in values]))
    else:  # all channels at once, below each other
        small = reduced(values).reshape(count * rows, across)
        small = cv2.resize(small, (width, count * height), interpolation=cv2.INTER_NEAREST_EXACT)
    pixels = small.reshape(count, height, width)
    return Tiles(pixels, levels.silent[order], order, columns, None if dead is None else dead[order])


def _arrange(shape: tuple[int, ...], layout: Layout) -> tuple[int, int, int]:
    """Return the number of tiles in a row, and a tile's height and width in pixels."""
    count, *sides = shape
    if layout.width is None:
        height, width = _scaled(sides, _factor(count, max(sides), layout.max_tile))
        return min(count, layout.columns or _columns(count, width)), height, width
    gap = layout.gap
    across = layout.width - 2 * MARGIN - _indent(count - 1) + gap
    down = layout.height - HEADER - MARGIN + gap if layout.height else np.inf

    def space(columns: int) -> tuple[float, float]:
        """Return the available height and width of a tile in pixels."""
        return down / -(-count // columns) - gap, across / columns - gap

    def factor(columns: int) -> float:
        return min(available / side for available, side in zip(space(columns), sides, strict=True))

    if layout.columns or layout.height is None:
        columns = min(count, layout.columns or (16 if count > 32 else 8))
    else:
        columns = max(range(1, count + 1), key=factor)
    if min(space(columns)) < 1:
        size = f"{layout.width}×{layout.height} pixels" if layout.height else f"{layout.width} pixels width"
        raise ConvscopeError(f"a sheet of {size} is too small for {count} channels: set a larger canvas")
    return columns, *_scaled(sides, factor(columns))


def _factor(count: int, longest: int, max_tile: int) -> float:
    """Return the factor that enlarges the maps if the sheet has no fixed width."""
    if longest > max_tile:
        return max_tile / longest
    target = max_tile if count <= 32 else min(max_tile, _MANY if count <= 512 else _MANY * 3 // 4)
    wanted = _SINGLE if longest == 1 else target
    return min(-(-wanted // longest), max(1, max_tile // longest))


def _scaled(sides: list[int], factor: float) -> tuple[int, int]:
    """Return the sides times the factor; a factor above 1 is rounded down to an integer."""
    if factor >= 1:
        return sides[0] * int(factor), sides[1] * int(factor)
    return max(1, int(sides[0] * factor + 1e-6)), max(1, int(sides[1] * factor + 1e-6))


def channel_picture(
    values: np.ndarray, *, hatched: bool, caption: str, color_map: str, layout: Layout | None = None
) -> Indexed | np.ndarray:
    """Draw one channel, levels uint8 (height, width), enlarged by an integer factor, with a caption below.

    If `layout` has a width and a height, the picture has that size.
    """
    size = values.shape
    if layout and layout.width and layout.height:
        factor = min(layout.width / size[1], (layout.height - _LINE) / size[0])
        across, down = layout.width, layout.height
        height, width = _scaled(list(size), factor)
    else:
        height, width = (side * max(1, _ALONE // max(size)) for side in size)
        across, down = max(width, text_width(caption, 12)) + 2 * GAP, height + _LINE
    canvas = Canvas(down, across, color_map)
    top, left = (down - _LINE - height) // 2, (across - width) // 2
    if hatched:
        canvas.hatch(top, left, height, width)
    else:
        shrinks = height < size[0] or width < size[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST_EXACT
        canvas.put(top, left, cv2.resize(reduced(values), (width, height), interpolation=how))
    text = cut(caption, across - 2 * GAP, 12)
    canvas.write(Label(text, (across // 2, down - _LINE // 2), 12, anchor="mm"))
    return canvas.finish()


def sheet(
    tiles: Tiles,
    title: str,
    subtitle: str,
    scale: Scale | None = None,
    layout: Layout = Layout(),
) -> Indexed | np.ndarray:
    """Draw all tiles in rows below a title, with the index of the first channel to the left of each row.

    Args:
        tiles: the tiles; silent ones are drawn as hatching.
        title: the layer path.
        subtitle: a description.
        scale: the scale of the colours, drawn as a bar; None if the tiles are pictures.
        layout: the size of the sheet; lines of text that are wider than the sheet are shortened.

    Returns:
        a picture with a palette, or, if the tiles are pictures, uint8 (height, width, 3).
    """
    count, height, width = tiles.pixels.shape[:3]
    columns = tiles.columns or _columns(count, width)
    indent, gap = _indent(int(tiles.channels.max())), layout.gap
    bar = BAR + 20 if scale else 0
    body = indent + columns * (width + gap) - gap
    needed = max(body, text_width(title, 17, bold=True) + bar, text_width(subtitle, 12))
    down = HEADER + -(-count // columns) * (height + gap) - gap + MARGIN
    across = layout.width or needed + 2 * MARGIN
    canvas = Canvas(layout.height or down, across, scale.color_map if scale else "gray")
    inner = across - 2 * MARGIN
    canvas.write(
        Label(cut(title, inner - bar, 17, bold=True), (MARGIN, MARGIN), 17, bold=True),
        Label(cut(subtitle, inner, 12), (MARGIN, MARGIN + 25), 12, FAINT),
    )
    if scale:
        color_bar(canvas, scale)
    _lay(canvas, tiles, columns, indent, gap)
    return canvas.finish()


def _lay(canvas: Canvas, tiles: Tiles, columns: int, indent: int, gap: int) -> None:
    """Draw the tiles and the index of each row's first channel; all indices if they are not consecutive."""
    height, width = tiles.pixels.shape[1:3]
    digits = text_width(str(tiles.channels.max()), 9) + 3
    shuffled = bool((np.diff(tiles.channels) != 1).any())
    fits = height >= 2 * _NUMBER and width >= 2 * digits  # a number on a smaller tile would hide it
    numbered = shuffled and fits
    for index, (tile, silent) in enumerate(zip(tiles.pixels, tiles.silent, strict=True)):
        row, column = divmod(index, columns)
        top, left = HEADER + row * (height + gap), MARGIN + indent + column * (width + gap)
        number = str(tiles.channels[index])
        if column == 0:
            canvas.write(Label(number, (left - 6, top + height // 2), 11, FAINT, anchor="rm"))
        if tiles.framed is not None and tiles.framed[index]:
            canvas.fill(top - GAP, left - GAP, height + 2 * GAP, width + 2 * GAP, FRAME)
        if silent:
            canvas.hatch(top, left, height, width)
        else:
            canvas.put(top, left, tile)
        if numbered:
            canvas.tag(top, left, _NUMBER, number)


def _indent(highest: int) -> int:
    """Return the width of the channel indices at the left in pixels."""
    return text_width(str(highest), 11) + 8


def _columns(count: int, width: int) -> int:
    """Return the number of tiles in a row: 16, as in the book, or 8 if the tiles are few or large."""
    wide = 16 * (width + GAP) <= 1700
    return min(count, 16 if count > 32 and wide else 8)


def color_bar(canvas: Canvas, scale: Scale) -> None:
    """Draw the colour bar with its labels at the top right."""
    right = canvas.shape[1] - MARGIN
    levels = np.linspace(0, LEVELS - 1, BAR).round().astype(np.uint8)
    canvas.put(MARGIN, right - BAR, np.broadcast_to(levels, (10, BAR)))
    for label, x, anchor in zip(
        scale.labels, (right - BAR, right - BAR // 2, right), ("lt", "mt", "rt"), strict=True
    ):
        canvas.write(Label(label, (x, MARGIN + 14), 10, anchor=anchor))
