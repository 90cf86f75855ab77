"""Feature maps of one layer as they change: a strip with a column an epoch, and frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.images import Indexed, in_rgb
from convscope.render.canvas import Canvas
from convscope.render.lettering import FAINT, INK, PALE, Label, text_width
from convscope.render.mosaic import GAP, MARGIN, Scale, Tiles, color_bar, sheet

_HEADER, _BAND = 80, 34  # pixels above the tiles of a strip, above the sheet of a frame
_BAR = 150


@dataclass(frozen=True)
class Strip:
    """The same channels after several epochs, all on one scale.

    `tiles` has one entry an epoch, all with the same channels and of one size; `epochs` are their numbers.
    """

    tiles: Sequence[Tiles]
    epochs: Sequence[int]
    title: str
    subtitle: str
    scale: Scale


def strip_sheet(strip: Strip) -> Indexed | np.ndarray:
    """A row a channel with its number at the left, a column an epoch with its number on top."""
    channels = strip.tiles[0].channels
    height, width = strip.tiles[0].pixels.shape[1:3]
    indent = max(text_width(text, 11) for text in ("epoch", str(channels.max()))) + 8
    body = indent + len(strip.tiles) * (width + GAP) - GAP
    needed = max(text_width(strip.title, 17, bold=True) + _BAR + 20, text_width(strip.subtitle, 12))
    across = 2 * MARGIN + max(body, needed)
    canvas = Canvas(_HEADER + len(channels) * (height + GAP) - GAP + MARGIN, across, strip.scale.color_map)
    color_bar(canvas, strip.scale)
    left, numbers = MARGIN + indent, _HEADER - 10  # where tiles begin, where the epochs' numbers stand
    canvas.write(
        Label(strip.title, (MARGIN, MARGIN), 17, bold=True),
        Label(strip.subtitle, (MARGIN, MARGIN + 25), 12, FAINT),
        Label("epoch", (left - 6, numbers), 11, FAINT, anchor="rm"),
    )
    for row, channel in enumerate(channels):
        middle = _HEADER + row * (height + GAP) + height // 2
        canvas.write(Label(str(channel), (left - 6, middle), 11, FAINT, anchor="rm"))
    for column, (tiles, epoch) in enumerate(zip(strip.tiles, strip.epochs, strict=True)):
        x = left + column * (width + GAP)
        canvas.write(Label(str(epoch), (x + width // 2, numbers), 11, FAINT, anchor="mm"))
        for row, (tile, silent) in enumerate(zip(tiles.pixels, tiles.silent, strict=True)):
            y = _HEADER + row * (height + GAP)
            if silent:
                canvas.hatch(y, x, height, width)
            else:
                canvas.put(y, x, tile)
    return canvas.finish()


def strip_frames(strip: Strip) -> np.ndarray:
    """A frame an epoch: its tiles side by side, under its number and a line that grows to the last epoch.

    Returns:
        uint8 (epochs, height, width, 3).
    """
    frames = []
    for tiles, epoch in zip(strip.tiles, strip.epochs, strict=True):
        below = sheet(tiles, strip.title, strip.subtitle, strip.scale)
        above = _band(strip, epoch, below.shape[1])
        frames.append(np.concatenate([in_rgb(above), in_rgb(below)]))
    return np.stack(frames)


def _band(strip: Strip, epoch: int, width: int) -> Indexed | np.ndarray:
    canvas = Canvas(_BAND, width)
    begin, end = MARGIN + text_width(f"epoch {strip.epochs[-1]}", 17, bold=True) + 16, width - MARGIN
    y = MARGIN + 7
    canvas.fill(y, begin, 4, end - begin, PALE)
    canvas.fill(y, begin, 4, round((end - begin) * epoch / max(1, strip.epochs[-1])), INK)
    canvas.write(Label(f"epoch {epoch}", (MARGIN, y + 2), 17, bold=True, anchor="lm"))
    return canvas.finish()
