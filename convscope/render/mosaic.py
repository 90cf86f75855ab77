"""Every channel of a layer side by side: tiles, and the sheet they lie on."""

from dataclasses import dataclass

import numpy as np

from convscope import images
from convscope.render.lettering import FAINT, INK, PAPER, Label, text_width, write
from convscope.render.levels import Levels

GAP = 2  # pixels between tiles
MARGIN = 12
HEADER = 58  # pixels above the tiles
FRAME = (214, 40, 40)
_SINGLE = 24  # pixels of a side of a tile that is one value
_MANY = 64  # of a small map where there are more than 32
_ALONE = 400  # of the longer side of a channel that is drawn alone


@dataclass(frozen=True)
class Tiles:
    """Pictures of one size, one a channel.

    `pixels` is uint8 (channels, height, width, 3); `silent`, bool (channels,), says which channels show
    nothing: they are hatched; `channels`, int (channels,), are their numbers; `framed`, bool (channels,), are
    to be pointed out.
    """

    pixels: np.ndarray
    silent: np.ndarray
    channels: np.ndarray
    framed: np.ndarray | None = None


@dataclass(frozen=True)
class Scale:
    """What the colours of a sheet mean: a colour map and the labels of its low end, middle, high end."""

    color_map: str
    labels: tuple[str, str, str]


def map_tiles(
    levels: Levels, *, order: np.ndarray, max_tile: int, color_map: str, dead: np.ndarray | None = None
) -> Tiles:
    """Feature maps as coloured tiles; the aspect is kept.

    Small maps are enlarged by a whole number, each value a square; those with a side over `max_tile`
    are averaged down to it after colouring.

    Args:
        levels: of the maps.
        order: int (channels,), the channels in the order of their tiles.
        max_tile: longest side of a tile in pixels.
        color_map: a Matplotlib colour map.
        dead: bool (channels,), those that get a frame.
    """
    pixels = images.colorize(levels.values[order], color_map)
    count, *sides = levels.values.shape
    longest = max(sides)
    if longest > max_tile:
        pixels = np.stack([images.fit_within(tile, max_tile) for tile in pixels])
    else:
        target = max_tile if count <= 32 else min(max_tile, _MANY if count <= 512 else _MANY * 3 // 4)
        wanted = _SINGLE if longest == 1 else target
        factor = min(-(-wanted // longest), max(1, max_tile // longest))
        pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    return Tiles(pixels, levels.silent[order], order, None if dead is None else dead[order])


def channel_picture(values: np.ndarray, *, hatched: bool, caption: str, color_map: str) -> np.ndarray:
    """One channel, levels uint8 (height, width), enlarged by a whole number, with a line of text below it."""
    tile = images.colorize(values, color_map)
    factor = max(1, _ALONE // max(values.shape))
    tile = tile.repeat(factor, axis=0).repeat(factor, axis=1)
    if hatched:
        tile = hatching(*tile.shape[:2])
    height, width = tile.shape[:2]
    across = max(width, text_width(caption, 12)) + 2 * GAP
    canvas = np.full((height + 24, across, 3), PAPER, np.uint8)
    canvas[:height, (across - width) // 2 : (across - width) // 2 + width] = tile
    return write(canvas, [Label(caption, (across // 2, height + 12), 12, anchor="mm")])


def sheet(tiles: Tiles, title: str, subtitle: str, scale: Scale | None = None) -> np.ndarray:
    """All tiles in rows, whatever their number, under a title; each row begins with its first channel.

    Args:
        tiles: what to lay out; the hatched ones are silent.
        title: the layer's path.
        subtitle: what is shown.
        scale: what the colours mean, drawn as a bar; None where the tiles are pictures.

    Returns:
        uint8 (height, width, 3).
    """
    count, height, width, _ = tiles.pixels.shape
    columns = _columns(count, width)
    rows = -(-count // columns)
    indent = text_width(str(tiles.channels.max()), 11) + 8
    body = columns * (width + GAP) - GAP
    bar = 150 if scale else 0
    needed = max(text_width(title, 17, bold=True) + bar + 20 * bool(bar), text_width(subtitle, 12))
    canvas = np.full(
        (
            HEADER + rows * (height + GAP) - GAP + MARGIN,
            2 * MARGIN + indent + max(body, needed - indent),
            3,
        ),
        PAPER,
        np.uint8,
    )
    labels = [
        Label(title, (MARGIN, MARGIN), 17, bold=True),
        Label(subtitle, (MARGIN, MARGIN + 25), 12, FAINT),
    ]
    if scale:
        labels += color_bar(canvas, scale, right=canvas.shape[1] - MARGIN, width=bar)
    shuffled = bool((np.diff(tiles.channels) != 1).any())
    for index, (tile, silent) in enumerate(zip(tiles.pixels, tiles.silent, strict=True)):
        row, column = divmod(index, columns)
        top, left = HEADER + row * (height + GAP), MARGIN + indent + column * (width + GAP)
        if column == 0:
            at = (MARGIN + indent - 6, top + height // 2)
            labels.append(Label(str(tiles.channels[index]), at, 11, FAINT, anchor="rm"))
        if tiles.framed is not None and tiles.framed[index]:
            canvas[top - GAP : top + height + GAP, left - GAP : left + width + GAP] = FRAME
        canvas[top : top + height, left : left + width] = hatching(height, width) if silent else tile
        if shuffled:
            ink = INK if silent or tile[:10, :16].mean() > 128 else PAPER
            labels.append(Label(str(tiles.channels[index]), (left + 2, top + 1), 9, ink))
    return write(canvas, labels)


def _columns(count: int, width: int) -> int:
    """Sixteen a row, as in the book; eight where there are few tiles or they are large."""
    wide = 16 * (width + GAP) <= 1700
    return min(count, 16 if count > 32 and wide else 8)


def hatching(height: int, width: int) -> np.ndarray:
    """A tile that has nothing to show, hatched in grey: uint8 (height, width, 3)."""
    y, x = np.indices((height, width))
    grey = np.where((x + y) % 8 < 2, 196, 236).astype(np.uint8)
    return grey[..., None].repeat(3, axis=2)


def color_bar(canvas: np.ndarray, scale: Scale, *, right: int, width: int) -> list[Label]:
    """Draw the bar; returns the labels below it."""
    levels = np.linspace(0, 255, width).astype(np.uint8)
    canvas[MARGIN : MARGIN + 10, right - width : right] = images.colorize(levels, scale.color_map)
    places = (right - width, right - width // 2, right)
    return [
        Label(label, (x, MARGIN + 14), 10, anchor=anchor)
        for label, x, anchor in zip(scale.labels, places, ("lt", "mt", "rt"), strict=True)
    ]
