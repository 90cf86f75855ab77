"""The same channels in several states or models: a sheet with a column for each, and frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convscope.images import Indexed, in_rgb
from convscope.render.canvas import Canvas
from convscope.render.lettering import FAINT, INK, PALE, Label, text_width, wrapped
from convscope.render.mosaic import BAR, GAP, MARGIN, Scale, Tiles, color_bar, sheet

_HEADER, _BAND = 80, 34  # pixels above the tiles of a strip, and above the sheet of a frame
_APART = 26  # pixels between two blocks of channels
_TITLE, _LINE, _LINES = 88, 14, 6  # of a title: maximum width and line height in pixels, maximum of lines
_BETWEEN = 6  # the minimum distance of two titles in pixels


@dataclass(frozen=True)
class Strip:
    """The same channels after several epochs, or in several models.

    `tiles` has one entry for each column, all with the same channels and the same size. `columns` are the
    titles of the columns, and `heading` says what they are, for example "epoch". `scale` is the scale of the
    colours, None if the tiles are pictures.
    """

    tiles: Sequence[Tiles]
    columns: Sequence[str]
    title: str
    subtitle: str
    scale: Scale | None
    heading: str = ""

    @property
    def pitch(self) -> int:
        """The distance of two columns in pixels: the width of a tile or of a title, with a gap."""
        longest = max(text_width(line, 11) for title in self.columns for line in title.split("\n"))
        return max(self.tiles[0].pixels.shape[2], min(longest, _TITLE) + _BETWEEN) + GAP


def strip_sheet(strip: Strip, *, widest: int = 0, numbered: bool = True) -> Indexed | np.ndarray:
    """Draw a row for each channel, with its index at the left, and a column for each epoch or model.

    Args:
        strip: the tiles and titles; silent tiles are drawn as hatching.
        widest: the maximum width in pixels of the blocks of channels that are drawn side by side, each with
            its titles. Channels fill the left block first. 0 draws one block.
        numbered: whether to draw the indices of the channels.

    Returns:
        a picture with a palette, or, if the tiles are pictures, uint8 (height, width, 3).
    """
    channels = strip.tiles[0].channels
    height, pitch = strip.tiles[0].pixels.shape[1], strip.pitch
    names = [strip.heading, *(str(channel) for channel in channels if numbered)]
    indent = max(text_width(name, 11) for name in names) + 8
    block = indent + len(strip.tiles) * pitch - GAP
    beside, rows = _blocks(len(channels), (widest + _APART) // (block + _APART))
    titles = [wrapped(title, 11, pitch - GAP - _BETWEEN, _LINES) for title in strip.columns]
    header = _HEADER + (max(map(len, titles)) - 1) * _LINE
    bar = BAR + 20 if strip.scale else 0
    needed = max(text_width(strip.title, 17, bold=True) + bar, text_width(strip.subtitle, 12))
    across = 2 * MARGIN + max(beside * (block + _APART) - _APART, needed)
    color_map = strip.scale.color_map if strip.scale else "gray"
    canvas = Canvas(header + rows * (height + GAP) - GAP + MARGIN, across, color_map)
    canvas.write(
        Label(strip.title, (MARGIN, MARGIN), 17, bold=True),
        Label(strip.subtitle, (MARGIN, MARGIN + 25), 12, FAINT),
    )
    if strip.scale:
        color_bar(canvas, strip.scale)
    for number in range(beside):
        left = MARGIN + number * (block + _APART) + indent
        canvas.write(Label(strip.heading, (left - 6, header - 10), 11, FAINT, anchor="rm"))
        canvas.write(*_titles(titles, left, header, pitch))
        for row, index in enumerate(range(len(channels))[number * rows : (number + 1) * rows]):
            y = header + row * (height + GAP)
            if numbered:
                at = (left - 6, y + height // 2)
                canvas.write(Label(str(channels[index]), at, 11, FAINT, anchor="rm"))
            tiles = [(column.pixels[index], column.silent[index]) for column in strip.tiles]
            _draw_row(canvas, tiles, (left, y), pitch)
    return canvas.finish()


def _blocks(channels: int, most: int) -> tuple[int, int]:
    """Return the number of blocks side by side and of their rows, with as few empty rows as possible."""
    most = max(1, min(channels, most))
    _, negative = min(
        (-(-channels // count) * count - channels, -count) for count in range((most + 1) // 2, most + 1)
    )
    beside = -negative
    return beside, -(-channels // beside)


def _titles(titles: Sequence[Sequence[str]], left: int, header: int, pitch: int) -> Iterator[Label]:
    """Yield the titles of a block's columns, aligned at their last lines."""
    for column, lines in enumerate(titles):
        middle = left + column * pitch + (pitch - GAP) // 2
        for above, line in enumerate(reversed(lines)):
            yield Label(line, (middle, header - 10 - above * _LINE), 11, FAINT, anchor="mm")


def _draw_row(
    canvas: Canvas, tiles: Sequence[tuple[np.ndarray, bool]], at: tuple[int, int], pitch: int
) -> None:
    """Draw the tiles of a channel in the middle of their columns; the silent ones as hatching."""
    x, y = at
    for tile, silent in tiles:
        height, width = tile.shape[:2]
        left = x + (pitch - GAP - width) // 2
        if silent:
            canvas.hatch(y, left, height, width)
        else:
            canvas.put(y, left, tile)
        x += pitch


def strip_frames(strip: Strip, epochs: Sequence[float]) -> np.ndarray:
    """Draw a frame for each column: its tiles below its title and a progress bar.

    Args:
        strip: the tiles and titles.
        epochs: the epoch of each column; at the last one the bar is full.

    Returns:
        uint8 (columns, height, width, 3).
    """
    frames = []
    for tiles, title, epoch in zip(strip.tiles, strip.columns, epochs, strict=True):
        body = sheet(tiles, strip.title, strip.subtitle, strip.scale)
        share = epoch / max(1, epochs[-1])
        band = _band(strip, title, share, body.shape[1])
        frames.append(np.concatenate([in_rgb(band), in_rgb(body)]))
    return np.stack(frames)


def _band(strip: Strip, title: str, share: float, width: int) -> Indexed | np.ndarray:
    canvas = Canvas(_BAND, width)
    longest = f"{strip.heading} {strip.columns[-1]}"
    left, right = MARGIN + text_width(longest, 17, bold=True) + 16, width - MARGIN
    y = MARGIN + 7
    canvas.fill(y, left, 4, right - left, PALE)
    canvas.fill(y, left, 4, round((right - left) * share), INK)
    canvas.write(Label(f"{strip.heading} {title}", (MARGIN, y + 2), 17, bold=True, anchor="lm"))
    return canvas.finish()
