"""The figure of class activation: photograph, heatmap and both together, with a colour bar."""

import io
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
        height, width = self.photograph.shape[:2]
        panels = [(self.title, self.photograph), *self.heat]
        side = _PANEL / max(height, width)
        figure = Figure(
            figsize=(len(panels) * (width * side + 0.15) + 0.9, height * side + 1.0), layout="constrained"
        )
        FigureCanvasAgg(figure)
        all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, pixels) in zip(all_axes, panels, strict=True):
            axes.imshow(pixels, interpolation="lanczos" if format == "png" else "none")
            axes.set_title(title, fontsize=10)
            axes.axis("off")
        if self.ends:
            mappable = ScalarMappable(Normalize(*self.ends), matplotlib.colormaps[self.color_map])
            figure.colorbar(mappable, ax=all_axes[-1], label=self.unit, shrink=0.85, pad=0.02)
        figure.suptitle(self.heading, fontsize=12, fontweight="bold", x=0.01, ha="left")
        figure.supxlabel(self.note, fontsize=8.5, x=0.01, ha="left", color="#444444")
        return _content(figure, format, scale)


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
