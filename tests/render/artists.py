"""What a chart shows: its texts, and the colours of its file."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from convscope.images import load_png


def texts(drawn: Figure) -> list[Text]:
    return [text for text in drawn.findobj(Text) if text.get_visible() and text.get_text()]


def pixel_at(path: Path, drawn: Figure, x: float, y: float, *, axes: int = 0) -> np.ndarray:
    """Return the colour of the file at a point in the units of the axes."""
    pixels = load_png(path)
    across, up = drawn.axes[axes].transData.transform((x, y)) * 120 / drawn.dpi
    return pixels[pixels.shape[0] - 1 - round(up), round(across)]


def color(name: str) -> list[int]:
    return [round(255 * value) for value in to_rgb(name)]
