"""Text in pictures. The font comes with Matplotlib, so that all machines draw the same pixels."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
from PIL import ImageFont

INK, FAINT, PALE, PAPER = (28, 30, 34), (120, 124, 132), (225, 226, 228), (255, 255, 255)
FRAME = (214, 40, 40)


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans with `size` pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def text_width(text: str, size: int, *, bold: bool = False) -> int:
    """Return the width of `text` in pixels."""
    return round(font(size, bold).getlength(text))


def cut(text: str, width: int, size: int, *, bold: bool = False) -> str:
    """Return `text`, shortened with an ellipsis if it is wider than `width` pixels."""
    if text_width(text, size, bold=bold) <= width:
        return text
    fits = bisect_right(range(len(text)), width, key=lambda n: text_width(text[:n] + "…", size, bold=bold))
    return text[: max(0, fits - 1)].rstrip() + "…"


def wrapped(text: str, size: int, width: int, most: int) -> list[str]:
    """Wrap `text` into at most `most` lines of at most `width` pixels; a shortened text ends in "…".

    Lines end at line breaks, and if possible after `_`, `-` or a space.
    """
    lines = []
    for whole in text.split("\n"):
        line = ""
        for part in re.findall(r"[^_\- ]*[_\- ]?", whole):
            if line and text_width((line + part).rstrip(), size) > width:
                lines.append(line)
                line = ""
            for character in part:
                if line and text_width(line + character, size) > width and character != " ":
                    lines.append(line)
                    line = ""
                line += character
        lines.append(line)
    if len(lines) > most:
        lines[most - 1 :] = [cut(lines[most - 1].rstrip() + "…", width, size)]
    return [line.strip() for line in lines]


@dataclass(frozen=True)
class Label:
    """One line of text.

    `at` is x and y of the anchor in pixels. `size` is the height of the font in pixels. `anchor` has two
    letters as in Pillow, for example "lt" for left and top, "rm" for right and middle.
    """

    text: str
    at: tuple[int, int]
    size: int
    color: tuple[int, int, int] = INK
    bold: bool = False
    anchor: str = "lt"
