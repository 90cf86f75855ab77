"""The figure of class activation: photograph, heatmap and both together, with a colour bar."""

import io
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.text import Text

FORMATS = ("png", "svg", "pdf")
_DPI = 100
_PANEL = 3.4  # inches of the longer side of a panel
_HEADING, _TITLE, _NOTE = 12, 10, 8.5  # points
_EDGE, _GAP, _ABOVE, _BELOW, _BAR = 0.1, 0.12, 0.72, 0.36, 0.85  # inches


@dataclass(frozen=True)
class HeatFigure:
    """The content of the figure.

    Attributes:
        photograph: uint8 (height, width, 3).
        heat: the pictures beside it, each with its title: uint8 (height, width, 3).
        heading: a line above.
        title: the title of the photograph.
        color_map: the colour map of the bar.
        ends: the values at the ends of the bar; None for a map that is zero.
        unit: the unit of these values.
        note: a line below.
    """

    photograph: np.ndarray
    heat: Sequence[tuple[str, np.ndarray]]
    heading: str
    title: str
    color_map: str
    ends: tuple[float, float] | None
    unit: str
    note: str

    def draw(self, format: str, scale: float = 1.0) -> bytes:
        """Return the figure as the content of a file.

        Args:
            format: one of `FORMATS`.
            scale: the factor of the resolution of a PNG; 1 gives panels of 340 pixels.
        """
        rows, columns = self.photograph.shape[:2]
        panels = [(self.title, self.photograph), *self.heat]
        height, width = (_PANEL * side / max(rows, columns) for side in (rows, columns))
        across = _EDGE + len(panels) * (width + _GAP) + _BAR
        note = textwrap.wrap(self.note, _letters(across, _NOTE))
        heading = textwrap.wrap(self.heading, _letters(across, _HEADING))
        below = _BELOW + _line(_NOTE) * (len(note) - 1)
        down = below + height + _ABOVE + _line(_HEADING) * (len(heading) - 1)
        # A layout of Matplotlib's would draw the figure several times to find the same positions.
        figure = Figure(figsize=(across, down))
        FigureCanvasAgg(figure)
        for index, (title, pixels) in enumerate(panels):
            left = _EDGE + index * (width + _GAP)
            axes = figure.add_axes((left / across, below / down, width / across, height / down))
            axes.imshow(pixels, aspect="auto", interpolation="none" if format != "png" else "antialiased")
            axes.set_title(textwrap.shorten(title, _letters(width, _TITLE), placeholder="…"), fontsize=_TITLE)
            axes.axis("off")
        if self.ends:
            left = across - _BAR
            bar = figure.add_axes((left / across, below / down, 0.1 / across, height / down))
            mappable = ScalarMappable(Normalize(*self.ends), matplotlib.colormaps[self.color_map])
            figure.colorbar(mappable, cax=bar, label=self.unit)
        left, top = _EDGE / across, 1 - 0.14 / down
        figure.text(left, top, "\n".join(heading), fontsize=_HEADING, fontweight="bold", va="top")
        figure.text(left, 0.12 / down, "\n".join(note), fontsize=_NOTE, color="#444444")
        return _content(figure, format, scale)


def _letters(width: float, size: float) -> int:
    """Return how many letters of a font size, in points, fit into a width in inches."""
    return max(8, int(72 * width / (0.6 * size)))


def _line(size: float) -> float:
    """Return the height of a line in inches."""
    return 1.3 * size / 72


def _content(figure: Figure, format: str, scale: float) -> bytes:
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # names may contain dollars
    # Without these, SVG and PDF contain random numbers and the time: the same seed gives the same bytes.
    date: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format, {})
    buffer = io.BytesIO()
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.hashsalt": "convscope"}):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format=format, dpi=_DPI * scale, metadata=date)
    return buffer.getvalue()
