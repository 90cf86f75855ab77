"""A gallery of pictures in titled rows, each picture with a caption of two lines."""

import io
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

_SIDE, _GAP, _CAPTION, _ROW, _TOP, _EDGE = 1.7, 0.1, 0.42, 0.34, 0.5, 0.12  # inches
_LETTERS = 26  # of a caption's line


@dataclass(frozen=True)
class Panel:
    """A picture, uint8 (height, width, 3), with a caption of up to two lines."""

    pixels: np.ndarray
    caption: str


def gallery_figure(title: str, rows: Sequence[tuple[str, Sequence[Panel]]]) -> np.ndarray:
    """Return the gallery, uint8 (height, width, 3). Rows without pictures are left out.

    Args:
        title: a line above.
        rows: the title of each row, and its pictures.
    """
    rows = [(name, panels) for name, panels in rows if panels]
    across = 2 * _EDGE + max([3, *(len(panels) for _, panels in rows)]) * (_SIDE + _GAP)
    down = _TOP + max(1, len(rows)) * (_ROW + _SIDE + _CAPTION)
    figure = Figure(figsize=(across, down))
    FigureCanvasAgg(figure)
    figure.text(_EDGE / across, 1 - 0.12 / down, title, fontsize=12, fontweight="bold", va="top")
    for index, (name, panels) in enumerate(rows):
        top = down - _TOP - index * (_ROW + _SIDE + _CAPTION)
        figure.text(_EDGE / across, (top - 0.08) / down, name, fontsize=10, va="top", color="#444444")
        for column, panel in enumerate(panels):
            left = _EDGE + column * (_SIDE + _GAP)
            height, width = (_SIDE * side / max(panel.pixels.shape[:2]) for side in panel.pixels.shape[:2])
            axes = figure.add_axes(
                (left / across, (top - _ROW - height) / down, width / across, height / down)
            )
            axes.imshow(panel.pixels, aspect="auto", interpolation="antialiased")
            axes.axis("off")
            lines = [textwrap.shorten(line, _LETTERS, placeholder="…") for line in panel.caption.splitlines()]
            below = (top - _ROW - height - 0.04) / down
            figure.text(left / across, below, "\n".join(lines), fontsize=7.5, va="top")
    return _pixels(figure)


def _pixels(figure: Figure) -> np.ndarray:
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # names may contain dollars
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=110)
    return np.asarray(Image.open(buffer).convert("RGB"))
