"""White paper that tiles, hatching, frames and text are put on.

It is kept in at most 256 colours for as long as nothing but feature maps lies on it: a third of the bytes
to fill, to compress and to store, and the colours are exactly those of the colour bar.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from convscope import images
from convscope.images import Indexed
from convscope.render.lettering import FAINT, FRAME, INK, PALE, PAPER, Label, font

LEVELS = 224  # entries of the palette that are the colour map's; the others are the paper's own
_FRAME, _INK, _PAPER = LEVELS, LEVELS + 1, 255  # and between the last two, greys for the edges of letters
_DARK, _LIGHT = 247, 253  # of the hatching
_OWN = {FRAME: _FRAME, INK: _INK, FAINT: 237, PALE: 251, PAPER: _PAPER}


class Canvas:
    """A sheet that grows by what is put on it; places are pixels from the top and the left."""

    def __init__(self, height: int, width: int, color_map: str = "gray"):
        """Begin with white paper; `color_map` is of the tiles that are levels."""
        self._indices = np.full((height, width), _PAPER, np.uint8)
        self._palette = _palette(color_map)
        self._pictures: list[tuple[int, int, np.ndarray]] = []
        self._labels: list[Label] = []

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self._indices.shape

    def put(self, top: int, left: int, tile: np.ndarray) -> None:
        """A tile: levels as `reduced` gives them, uint8 (height, width), or a picture (height, width, 3)."""
        if tile.ndim == 3:
            self._pictures.append((top, left, tile))
        else:
            self._indices[top : top + tile.shape[0], left : left + tile.shape[1]] = tile

    def hatch(self, top: int, left: int, height: int, width: int) -> None:
        """A tile that has nothing to show."""
        y, x = np.ogrid[:height, :width]
        self._indices[top : top + height, left : left + width] = np.where((x + y) % 8 < 2, _DARK, _LIGHT)

    def fill(self, top: int, left: int, height: int, width: int, color: tuple[int, int, int]) -> None:
        """A box in one of the sheet's own colours: INK, FAINT, PALE, PAPER or FRAME."""
        self._indices[top : top + height, left : left + width] = _OWN[color]

    def write(self, *labels: Label) -> None:
        """Lines of text, above all tiles that are levels."""
        self._labels += labels

    def finish(self) -> Indexed | np.ndarray:
        """The sheet: in 256 colours, or uint8 (height, width, 3) if there are pictures on it."""
        image = Image.fromarray(self._indices)  # the greys are in order, so that Pillow can blend them
        draw = ImageDraw.Draw(image)
        for label in self._labels:
            face = font(label.size, label.bold)
            draw.text(label.at, label.text, fill=_OWN[label.color], font=face, anchor=label.anchor)
        sheet = Indexed(np.asarray(image), self._palette)
        if not self._pictures:
            return sheet
        pixels = images.in_rgb(sheet)
        for top, left, picture in self._pictures:
            pixels[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        return pixels


def reduced(levels: np.ndarray) -> np.ndarray:
    """Levels 0..255 of a colour scale as those of a canvas, 0..223; uint8 of any shape."""
    return _REDUCED[levels]


_REDUCED = (np.arange(256) * LEVELS >> 8).astype(np.uint8)


@cache
def _palette(color_map: str) -> np.ndarray:
    """The colours of a canvas, uint8 (256, 3)."""
    table = images.color_table(color_map)[np.round(np.linspace(0, 255, LEVELS)).astype(int)]
    share = np.linspace(0, 1, _PAPER - _INK + 1)[:, None]
    greys = np.round(np.array(INK) * (1 - share) + np.array(PAPER) * share)
    return np.concatenate([table, [FRAME], greys]).astype(np.uint8)
