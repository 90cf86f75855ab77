"""The band at the upper edge of the frames of a video: a name, a number and a colour bar.

Players show their controls at the lower edge.
"""

import numpy as np
from PIL import Image, ImageDraw

from convscope.images import color_table
from convscope.render.lettering import PALE, PAPER, cut, font, text_width

_SHARE = 24  # the shorter side of a frame, divided by the height of the letters
_SMALLEST, _LARGEST = 9, 36  # pixels of the letters
_DARK = 0.35  # brightness of the picture behind the text


class FrameBand:
    """Text and a colour bar over the upper edge of frames of one size, which is darkened."""

    def __init__(self, size: tuple[int, int], color_map: str, ends: tuple[str, str]) -> None:
        """Set the size of a frame, (height, width) in pixels, the colours, and the values at their ends."""
        height, self._width = size
        self._letters = min(_LARGEST, max(_SMALLEST, min(size) // _SHARE))
        self._small = max(_SMALLEST, round(0.7 * self._letters))
        self._height = min(height, round(1.4 * (self._letters + self._small)) + 4)
        self._colors, self._ends = color_table(color_map), ends

    def draw(self, pixels: np.ndarray, name: str, number: str) -> np.ndarray:
        """Return a frame with the band: the name at the left, shortened if needed, the number at the right.

        Args:
            pixels: uint8 (height, width, 3).
            name: for example a class.
            number: for example its probability.
        """
        frame = pixels.copy()
        edge = self._letters // 2
        image = Image.fromarray((frame[: self._height] * _DARK).astype(np.uint8))
        draw = ImageDraw.Draw(image)
        middle, right = round(0.75 * self._letters), self._width - edge
        width = right - 2 * edge - text_width(number, self._letters)
        bold = font(self._letters, bold=True)
        draw.text((edge, middle), cut(name, width, self._letters, bold=True), PAPER, bold, anchor="lm")
        draw.text((right, middle), number, PAPER, font(self._letters), anchor="rm")
        self._draw_scale(image, draw, edge)
        frame[: self._height] = np.asarray(image)
        return frame

    def _draw_scale(self, image: Image.Image, draw: ImageDraw.ImageDraw, edge: int) -> None:
        small, face = self._small, font(self._small)
        low, high = self._ends
        middle = self._height - round(0.75 * small) - 2
        left = edge + text_width(low, small) + small // 2
        length = min(10 * small, self._width - left - text_width(high, small) - edge - small // 2)
        if length < 2 * small:
            return
        bar = self._colors[np.linspace(0, 255, length).round().astype(int)][None].repeat(small, axis=0)
        image.paste(Image.fromarray(bar), (left, middle - small // 2))
        draw.text((edge, middle), low, PALE, face, anchor="lm")
        draw.text((left + length + small // 2, middle), high, PALE, face, anchor="lm")
