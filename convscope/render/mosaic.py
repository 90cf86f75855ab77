"""Every channel of a layer side by side: scaling of values, tiles, and the sheet they lie on."""

from dataclasses import dataclass

import numpy as np

from convscope import images
from convscope.render.lettering import FAINT, PAPER, Label, text_width, write

DEVIATIONS = 2.0  # what the ends of the colour scale stand for
GAP = 2  # pixels between tiles
MARGIN = 12


@dataclass(frozen=True)
class Tiles:
    """Pictures of one size, one a channel.

    `pixels` is uint8 (channels, height, width, 3); `silent`, bool (channels,), says which channels show
    nothing: they are hatched.
    """

    pixels: np.ndarray
    silent: np.ndarray


@dataclass(frozen=True)
class Scale:
    """What the colours of a sheet mean: a colour map and the labels of its low end, middle, high end."""

    color_map: str
    labels: tuple[str, str, str] = ("−2 σ", "mean", "+2 σ")


def standardize(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each channel on its own scale: its mean in the middle, two standard deviations to either end.

    As in F. Chollet, Deep Learning with Python (2017), listing 5.31, but a channel without any
    variation is reported instead of divided by zero.

    Args:
        maps: float (height, width, channels), finite.

    Returns:
        uint8 levels (channels, height, width), and bool (channels,): which channels are silent, that is
        have the same value everywhere, to the rounding of float32.
    """
    channels = np.moveaxis(maps, -1, 0).astype(np.float64)
    mean = channels.mean(axis=(1, 2), keepdims=True)
    deviation = channels.std(axis=(1, 2), keepdims=True)
    largest = np.abs(channels).max(axis=(1, 2), keepdims=True)
    silent = deviation <= 1e-6 * largest
    standard = (channels - mean) / np.where(silent, 1, deviation)
    levels = np.round((standard / DEVIATIONS + 1) * 127.5)
    return np.clip(levels, 0, 255).astype(np.uint8), silent[:, 0, 0]


def map_tiles(maps: np.ndarray, *, max_tile: int, color_map: str) -> Tiles:
    """Feature maps as coloured tiles; the aspect is kept.

    Small maps are enlarged by a whole number, each value a square; those with a side over `max_tile`
    are averaged down to it after colouring.

    Args:
        maps: float (height, width, channels), finite.
        max_tile: longest side of a tile in pixels.
        color_map: a Matplotlib colour map.
    """
    levels, silent = standardize(maps)
    longest = max(levels.shape[1:])
    pixels = images.colorize(levels, color_map)
    if longest > max_tile:
        pixels = np.stack([images.fit_within(tile, max_tile) for tile in pixels])
    else:
        target = max_tile if maps.shape[-1] <= 512 else max_tile // 2
        factor = max(1, target // longest)
        pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    return Tiles(pixels, silent)


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
    indent = text_width(str(count), 11) + 8
    body = columns * (width + GAP) - GAP
    bar = 150 if scale else 0
    header = 58
    needed = max(text_width(title, 17, bold=True) + bar + 20 * bool(bar), text_width(subtitle, 12))
    canvas = np.full(
        (
            header + rows * (height + GAP) - GAP + MARGIN,
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
        labels += _color_bar(canvas, scale, right=canvas.shape[1] - MARGIN, width=bar)
    for index, (tile, silent) in enumerate(zip(tiles.pixels, tiles.silent, strict=True)):
        row, column = divmod(index, columns)
        top, left = header + row * (height + GAP), MARGIN + indent + column * (width + GAP)
        if column == 0:
            at = (MARGIN + indent - 6, top + height // 2)
            labels.append(Label(str(index), at, 11, FAINT, anchor="rm"))
        canvas[top : top + height, left : left + width] = _hatched(tile) if silent else tile
    return write(canvas, labels)


def _columns(count: int, width: int) -> int:
    """Sixteen a row, as in the book; eight where there are few tiles or they are large."""
    wide = 16 * (width + GAP) <= 1700
    return min(count, 16 if count > 32 and wide else 8)


def _hatched(tile: np.ndarray) -> np.ndarray:
    """The tile's place, hatched in grey."""
    y, x = np.indices(tile.shape[:2])
    grey = np.where((x + y) % 8 < 2, 196, 236).astype(np.uint8)
    return grey[..., None].repeat(3, axis=2)


def _color_bar(canvas: np.ndarray, scale: Scale, *, right: int, width: int) -> list[Label]:
    """Draw the bar; returns the labels below it."""
    levels = np.linspace(0, 255, width).astype(np.uint8)
    canvas[MARGIN : MARGIN + 10, right - width : right] = images.colorize(levels, scale.color_map)
    places = (right - width, right - width // 2, right)
    return [
        Label(label, (x, MARGIN + 14), 10, anchor=anchor)
        for label, x, anchor in zip(scale.labels, places, ("lt", "mt", "rt"), strict=True)
    ]
