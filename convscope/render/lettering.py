"""Text in pictures, in the font that Matplotlib ships, so that every machine draws the same."""

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
    """DejaVu Sans of `size` pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def text_width(text: str, size: int, *, bold: bool = False) -> int:
    """How many pixels wide `text` is."""
    return round(font(size, bold).getlength(text))


def cut(text: str, width: int, size: int, *, bold: bool = False) -> str:
    """`text`, or as much of its beginning as fits into `width` pixels, and an ellipsis."""
    if text_width(text, size, bold=bold) <= width:
        return text
    fits = bisect_right(range(len(text)), width, key=lambda n: text_width(text[:n] + "…", size, bold=bold))
    return text[: max(0, fits - 1)].rstrip() + "…"


def wrapped(text: str, size: int, width: int, most: int) -> list[str]:
    """`text` on at most `most` lines of at most `width` pixels each; what does not fit ends in "…".

    A line ends after `_`, `-` or a blank where it can, and at a line break.
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
    """One line of text: `at` is x and y in pixels of the anchor.

    `anchor` is Pillow's two letters, such as "lt" for left and top, "rm" for right and middle.
    """

    text: str
    at: tuple[int, int]
    size: int
    color: tuple[int, int, int] = INK
    bold: bool = False
    anchor: str = "lt"
