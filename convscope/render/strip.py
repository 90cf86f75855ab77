"""The same channels several times: a sheet with a column for each time, and frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convscope.images import Indexed, in_rgb
from convscope.render.canvas import Canvas
from convscope.render.lettering import FAINT, INK, PALE, Label, text_width, wrapped
from convscope.render.mosaic import BAR, GAP, MARGIN, Scale, Tiles, color_bar, sheet

_HEADER, _BAND = 80, 34  # pixels above the tiles of a strip, above the sheet of a frame
_APART = 26  # pixels between two blocks of channels
_TITLE, _LINE, _LINES = 88, 14, 6  # pixels of a title's line, across and down; lines of a title, at most
_BETWEEN = 6  # pixels from a title to the next, at least


@dataclass(frozen=True)
class Strip:
    """The same channels after several epochs, or in several models.

    `tiles` has one entry a column, all with the same channels and of one size; `columns` are their titles,
    and `heading` says what they are; `scale` is what the colours of all of them mean, None of pictures.
    """

    tiles: Sequence[Tiles]
    columns: Sequence[str]
    title: str
    subtitle: str
    scale: Scale | None
    heading: str = ""

    @property
    def pitch(self) -> int:
        """Pixels from a column to the next: a tile, or what a title needs."""
        longest = max(text_width(line, 11) for title in self.columns for line in title.split("\n"))
        return max(self.tiles[0].pixels.shape[2], min(longest, _TITLE) + _BETWEEN) + GAP


def strip_sheet(strip: Strip, *, widest: int = 0, numbered: bool = True) -> Indexed | np.ndarray:
    """A row a channel with its number at the left, a column an epoch or a model with its title on top.

    Args:
        strip: what to lay out; what is silent is hatched.
        widest: pixels that several blocks of channels side by side may take, each with its titles; channels
            go down the first block, then down the next. 0 is one block.
        numbered: whether the channels' numbers stand beside them.

    Returns:
        a picture with a palette, or uint8 (height, width, 3) of tiles that are pictures.
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
    for place in range(beside):
        left = MARGIN + place * (block + _APART) + indent
        canvas.write(Label(strip.heading, (left - 6, header - 10), 11, FAINT, anchor="rm"))
        canvas.write(*_titles(titles, left, header, pitch))
        for row, index in enumerate(range(len(channels))[place * rows : (place + 1) * rows]):
            y = header + row * (height + GAP)
            if numbered:
                at = (left - 6, y + height // 2)
                canvas.write(Label(str(channels[index]), at, 11, FAINT, anchor="rm"))
            tiles = [(each.pixels[index], each.silent[index]) for each in strip.tiles]
            _draw_row(canvas, tiles, (left, y), pitch)
    return canvas.finish()


def _blocks(channels: int, most: int) -> tuple[int, int]:
    """How many blocks lie side by side and how many rows they have, with the fewest places left empty."""
    most = max(1, min(channels, most))
    _, negative = min(
        (-(-channels // each) * each - channels, -each) for each in range((most + 1) // 2, most + 1)
    )
    beside = -negative
    return beside, -(-channels // beside)


def _titles(titles: Sequence[Sequence[str]], left: int, header: int, pitch: int) -> Iterator[Label]:
    """The titles of a block's columns, their last lines side by side."""
    for column, lines in enumerate(titles):
        middle = left + column * pitch + (pitch - GAP) // 2
        for above, line in enumerate(reversed(lines)):
            yield Label(line, (middle, header - 10 - above * _LINE), 11, FAINT, anchor="mm")


def _draw_row(
    canvas: Canvas, tiles: Sequence[tuple[np.ndarray, bool]], at: tuple[int, int], pitch: int
) -> None:
    """Draw the tiles of a channel, each with whether it is silent, in the middle of their columns."""
    x, y = at
    for tile, silent in tiles:
        height, width = tile.shape[:2]
        begin = x + (pitch - GAP - width) // 2
        if silent:
            canvas.hatch(y, begin, height, width)
        else:
            canvas.put(y, begin, tile)
        x += pitch


def strip_frames(strip: Strip, places: Sequence[float]) -> np.ndarray:
    """A frame a column: its tiles side by side, under its title and a line that grows to the last one.

    Args:
        strip: what to lay out.
        places: of each column, in the unit of the last one: the epochs.

    Returns:
        uint8 (columns, height, width, 3).
    """
    frames = []
    for tiles, title, place in zip(strip.tiles, strip.columns, places, strict=True):
        below = sheet(tiles, strip.title, strip.subtitle, strip.scale)
        share = place / max(1, places[-1])
        above = _band(strip, title, share, below.shape[1])
        frames.append(np.concatenate([in_rgb(above), in_rgb(below)]))
    return np.stack(frames)


def _band(strip: Strip, title: str, share: float, width: int) -> Indexed | np.ndarray:
    canvas = Canvas(_BAND, width)
    longest = f"{strip.heading} {strip.columns[-1]}"
    begin, end = MARGIN + text_width(longest, 17, bold=True) + 16, width - MARGIN
    y = MARGIN + 7
    canvas.fill(y, begin, 4, end - begin, PALE)
    canvas.fill(y, begin, 4, round((end - begin) * share), INK)
    canvas.write(Label(f"{strip.heading} {title}", (MARGIN, y + 2), 17, bold=True, anchor="lm"))
    return canvas.finish()
