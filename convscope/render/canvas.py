"""A white canvas for tiles, hatching, frames and text.

With feature maps only, it has at most 256 colours: the file is a third as large, and the colours of the maps
are exactly those of the colour bar.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from convscope import images
from convscope.images import Indexed
from convscope.render.lettering import FAINT, FRAME, INK, PALE, PAPER, Label, font, text_width

LEVELS = 224  # entries of the palette for the colour map; the others are for paper, text and frames
_FRAME, _INK, _PAPER = LEVELS, LEVELS + 1, 255  # entries between the last two: greys for the edges of letters
_DARK, _LIGHT = 247, 253  # entries for the hatching
_TAG = 9  # height of the letters of a tag in pixels
_OWN = {FRAME: _FRAME, INK: _INK, FAINT: 237, PALE: 251, PAPER: _PAPER}


class Canvas:
    """A sheet of a fixed size; positions are in pixels, from the top and from the left."""

    def __init__(self, height: int, width: int, color_map: str = "gray"):
        """Create a white sheet of `height` x `width` pixels; `color_map` colours the tiles of levels."""
        self._indices = np.full((height, width), _PAPER, np.uint8)
        self._palette = _palette(color_map)
        self._pictures: list[tuple[int, int, np.ndarray]] = []
        self._labels: list[Label] = []
        self._tags: list[tuple[slice, slice]] = []

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self._indices.shape

    def put(self, top: int, left: int, tile: np.ndarray) -> None:
        """Draw a tile: levels of `reduced`, uint8 (height, width), or pixels, uint8 (height, width, 3)."""
        if tile.ndim == 3:
            self._pictures.append((top, left, tile))
        else:
            self._indices[top : top + tile.shape[0], left : left + tile.shape[1]] = tile

    def hatch(self, top: int, left: int, height: int, width: int) -> None:
        """Draw a tile without content as hatching."""
        y, x = np.ogrid[:height, :width]
        self._indices[top : top + height, left : left + width] = np.where((x + y) % 8 < 2, _DARK, _LIGHT)

    def fill(self, top: int, left: int, height: int, width: int, color: tuple[int, int, int]) -> None:
        """Fill a box with one of the colours INK, FAINT, PALE, PAPER or FRAME."""
        self._indices[top : top + height, left : left + width] = _OWN[color]

    def write(self, *labels: Label) -> None:
        """Add lines of text. They cover tiles of levels, but not pictures."""
        self._labels += labels

    def tag(self, top: int, left: int, height: int, text: str) -> None:
        """Write a short text on a box of paper. It covers tiles and pictures."""
        width = text_width(text, _TAG) + 3
        self.fill(top, left, height, width, PAPER)
        self.write(Label(text, (left + 1, top + 1), _TAG))
        self._tags.append((slice(top, top + height), slice(left, left + width)))

    def finish(self) -> Indexed | np.ndarray:
        """Return the sheet: with a palette, or uint8 (height, width, 3) if it holds pictures."""
        image = Image.fromarray(self._indices)  # the greys are sorted, so that Pillow can blend their indices
        draw = ImageDraw.Draw(image)
        for label in self._labels:
            face = font(label.size, label.bold)
            draw.text(label.at, label.text, fill=_OWN[label.color], font=face, anchor=label.anchor)
        sheet = Indexed(np.asarray(image), self._palette)
        if not self._pictures:
            return sheet
        drawn = images.in_rgb(sheet)
        pixels = drawn.copy()
        for top, left, picture in self._pictures:
            pixels[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        for tag in self._tags:
            pixels[tag] = drawn[tag]
        return pixels


def reduced(levels: np.ndarray) -> np.ndarray:
    """Convert levels 0..255 of a colour scale to levels 0..223 of a canvas; uint8 of any shape."""
    return _REDUCED[levels]


_REDUCED = (np.arange(256) * LEVELS >> 8).astype(np.uint8)


@cache
def _palette(color_map: str) -> np.ndarray:
    """Return the colours of a canvas, uint8 (256, 3)."""
    table = images.color_table(color_map)[np.round(np.linspace(0, 255, LEVELS)).astype(int)]
    share = np.linspace(0, 1, _PAPER - _INK + 1)[:, None]
    greys = np.round(np.array(INK) * (1 - share) + np.array(PAPER) * share)
    return np.concatenate([table, [FRAME], greys]).astype(np.uint8)
