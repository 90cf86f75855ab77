"""The colours of a heatmap, alone and on top of its photograph."""

from dataclasses import dataclass

import numpy as np

from convscope import images
from convscope.render.levels import DIVERGING


@dataclass(frozen=True)
class HeatScale:
    """The scale of one heatmap or of several.

    A heatmap without negative values goes from 0 to `highest`, in the chosen colour map. Another one has a
    sign: it goes from minus to plus `highest`, in a diverging colour map.
    """

    highest: float
    has_sign: bool
    color_map: str

    @classmethod
    def of(cls, heat: np.ndarray, color_map: str) -> "HeatScale":
        """Return the scale of values of any shape."""
        has_sign = bool(heat.min() < 0)
        return cls(float(np.abs(heat).max()), has_sign, DIVERGING if has_sign else color_map)

    @property
    def ends(self) -> tuple[float, float]:
        """The values at the ends of the colour map."""
        return (-self.highest if self.has_sign else 0.0), self.highest

    def paint(self, heat: np.ndarray, pixels: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the heatmap, enlarged to the size of a photograph, alone and on top of it.

        On top, the heatmap is transparent where it is 0.

        Args:
            heat: float (h, w), at the resolution of the method.
            pixels: uint8 (height, width, 3), what the model saw, at any size.
            alpha: the opacity of the highest value.

        Returns:
            uint8 (height, width, 3), twice.
        """
        share = images.enlarge(heat.astype(np.float64), *pixels.shape[:2]) / (self.highest or 1)
        level = (share + 1) / 2 if self.has_sign else share
        colors = images.colorize(np.round(np.clip(level, 0, 1) * 255).astype(np.uint8), self.color_map)
        return colors, images.blend(pixels, colors, alpha * np.clip(np.abs(share), 0, 1))
