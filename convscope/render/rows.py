"""Sheets with a row of pictures for each channel; crops of pictures and outlines on them."""

from dataclasses import dataclass

import numpy as np

from convscope import images
from convscope.images import Indexed
from convscope.render.canvas import Canvas
from convscope.render.lettering import FAINT, INK, PAPER, Label, text_width
from convscope.render.mosaic import GAP, HEADER, MARGIN

OUTSIDE = 226  # the grey level outside of a picture
_APART = 28  # pixels between two channels side by side
_LEAST_MARK = 7  # the minimum side of an outline in pixels

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class Rows:
    """Pictures of one size, a row for each channel.

    `pixels` is uint8 (channels, k, height, width, 3). `hatched`, bool (channels, k), marks the pictures that
    are drawn as hatching. `names` and `notes` are the two lines of text to the left of each row.
    """

    pixels: np.ndarray
    hatched: np.ndarray
    names: list[str]
    notes: list[str]


def sheet(rows: Rows, title: str, subtitle: str) -> Indexed | np.ndarray:
    """Draw all rows below a title, in two columns if there are more than eight.

    The channels fill the left column first.

    Returns:
        uint8 (height, width, 3), or a picture with a palette if all pictures are hatched.
    """
    count, across, height, width, _ = rows.pixels.shape
    indent = 10 + max(
        *(text_width(name, 12, bold=True) for name in rows.names),
        *(text_width(note, 10) for note in rows.notes),
    )
    columns = 2 if count > 8 else 1
    lines = -(-count // columns)
    body = indent + across * (width + GAP) - GAP
    needed = max(text_width(title, 17, bold=True), text_width(subtitle, 12))
    sheet_width = max(columns * (body + _APART) - _APART, needed) + 2 * MARGIN
    canvas = Canvas(HEADER + lines * (height + GAP) - GAP + MARGIN, sheet_width)
    canvas.write(
        Label(title, (MARGIN, MARGIN), 17, bold=True),
        Label(subtitle, (MARGIN, MARGIN + 25), 12, FAINT),
    )
    for index in range(count):
        column, line = divmod(index, lines)
        top, left = HEADER + line * (height + GAP), MARGIN + column * (body + _APART) + indent
        middle = top + height // 2
        canvas.write(
            Label(rows.names[index], (left - 8, middle - 1), 12, INK, bold=True, anchor="rb"),
            Label(rows.notes[index], (left - 8, middle + 3), 10, FAINT, anchor="rt"),
        )
        for rank in range(across):
            if rows.hatched[index, rank]:
                canvas.hatch(top, left, height, width)
            else:
                canvas.put(top, left, rows.pixels[index, rank])
            left += width + GAP
    return canvas.finish()


def example(
    pixels: np.ndarray,
    window: Window | None,
    mark: Window | None,
    *,
    size: tuple[int, int],
    input_size: tuple[int, int],
) -> np.ndarray:
    """Return the part of a photograph inside a window, or all of it with an outline around an area.

    Args:
        pixels: uint8 (height, width, 3).
        window: see `part`; None is the whole photograph.
        mark: top, left, bottom, right of the outlined area as fractions; None draws no outline.
        size: height and width of the result in pixels.
        input_size: height and width of the model's input; a smaller photograph is first resized to it.
    """
    if pixels.shape[0] < input_size[0] or pixels.shape[1] < input_size[1]:
        pixels = images.resize(pixels, *input_size)
    tile = part(pixels, window or (0.0, 0.0, 1.0, 1.0), size)
    if mark is None:
        return tile
    top, left, bottom, right = mark
    return marked(tile, ((top + bottom) / 2, (left + right) / 2), (bottom - top, right - left))


def part(pixels: np.ndarray, window: Window, size: tuple[int, int]) -> np.ndarray:
    """Return the part of a picture inside a window, resized; the area outside the picture is light grey.

    Args:
        pixels: uint8 (height, width, 3).
        window: top, left, bottom, right as fractions of the picture; parts of it may be outside the picture.
        size: height and width of the result in pixels.
    """
    height, width = pixels.shape[:2]
    top, left = round(window[0] * height), round(window[1] * width)
    bottom, right = max(top + 1, round(window[2] * height)), max(left + 1, round(window[3] * width))
    result = np.full((bottom - top, right - left, 3), OUTSIDE, np.uint8)
    inside = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    above, before = max(-top, 0), max(-left, 0)  # pixels outside the picture
    result[above : above + inside.shape[0], before : before + inside.shape[1]] = inside
    return images.resize(result, *size)


def marked(tile: np.ndarray, center: tuple[float, float], extent: tuple[float, float]) -> np.ndarray:
    """Return a tile with an outline around an area.

    Args:
        tile: uint8 (height, width, 3).
        center: vertical and horizontal position of the area's centre as fractions of the tile.
        extent: height and width of the area as fractions; small areas are enlarged.
    """
    result = tile.copy()
    spans = []
    for side, middle, share in zip(tile.shape[:2], center, extent, strict=True):
        length = min(max(_LEAST_MARK, round(share * side)), side - 4)
        start = min(max(round(middle * side - length / 2), 2), side - 2 - length)
        spans.append((start, start + length))
    (top, bottom), (left, right) = spans
    for border, color in ((2, INK), (1, PAPER)):  # a dark line around a light one is visible on any picture
        box = result[top - border : bottom + border, left - border : right + border]
        box[:1], box[-1:], box[:, :1], box[:, -1:] = color, color, color, color
    return result
