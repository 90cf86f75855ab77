"""Text in pictures, in the font that Matplotlib ships, so that every machine draws the same."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, FAINT, PAPER = (28, 30, 34), (120, 124, 132), (255, 255, 255)


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans of `size` pixels."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def text_width(text: str, size: int, *, bold: bool = False) -> int:
    """How many pixels wide `text` is."""
    return round(font(size, bold).getlength(text))


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
        last = lines[most - 1].rstrip()
        while last and text_width(last + "…", size) > width:
            last = last[:-1]
        lines[most - 1 :] = [last + "…"]
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


def write(canvas: np.ndarray, labels: Iterable[Label]) -> np.ndarray:
    """A picture, uint8 (height, width, 3), with labels written onto it."""
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    for label in labels:
        face = font(label.size, label.bold)
        draw.text(label.at, label.text, fill=label.color, font=face, anchor=label.anchor)
    return np.array(image)
