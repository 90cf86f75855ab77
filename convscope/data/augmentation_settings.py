"""Settings of the augmentation: the parameters of ImageDataGenerator that change a picture."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from convscope.errors import ConvscopeError
from convscope.options import check_range, option


class FillMode(StrEnum):
    """Ways to fill pixels outside the picture."""

    nearest = "nearest"
    reflect = "reflect"
    wrap = "wrap"
    constant = "constant"


@dataclass
class Ranges:
    """The ranges that augmentation samples from, with the names of ImageDataGenerator.

    `zoom_range` is a fraction, or [lowest, highest]; `brightness_range` is [lowest, highest], or empty. Keras
    3.15 swaps the axes of the two shifts when it transforms a picture (not when it samples): width shifts
    move a picture up and down. Both engines do the same.
    """

    rotation_range: float = option(0.0, "maximum rotation to either side, in degrees")
    width_shift_range: float = option(
        0.0,
        "maximum shift: a fraction of the width if below 1, else pixels; up or down, as in the "
        "ImageDataGenerator of Keras 3.15, which swaps the axes",
    )
    height_shift_range: float = option(
        0.0,
        "maximum shift: a fraction of the height if below 1, else pixels; to the left or right, see "
        "width_shift_range",
    )
    shear_range: float = option(0.0, "maximum shear to either side, in degrees")
    zoom_range: Any = option(0.0, "maximum zoom in and out as a fraction, or [lowest, highest] factor")
    brightness_range: list[float] = option([], "[lowest, highest] factor of the brightness; []: no change")
    channel_shift_range: float = option(0.0, "maximum shift of all values of a picture, in grey levels")
    horizontal_flip: bool = option(False, "mirror half of the pictures, left to right")
    vertical_flip: bool = option(False, "mirror half of the pictures, top to bottom")
    fill_mode: FillMode = option(
        FillMode.nearest, "how to fill pixels outside the picture: nearest, reflect, wrap or constant"
    )
    cval: float = option(0.0, "grey level of pixels outside the picture, with fill_mode=constant")

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("width_shift_range", "height_shift_range"):
            check_range(f"augmentation.{name}", getattr(self, name), 0)
        for name in ("rotation_range", "shear_range"):
            check_range(f"augmentation.{name}", getattr(self, name), 0, 180)
        for name in ("channel_shift_range", "cval"):
            check_range(f"augmentation.{name}", getattr(self, name), 0, 255)
        if isinstance(self.zoom_range, int | float) and not isinstance(self.zoom_range, bool):
            check_range("augmentation.zoom_range", self.zoom_range, 0, 1, below=True)
        elif not _is_range(self.zoom_range) or self.zoom_range[0] == 0:
            raise ConvscopeError(
                f"augmentation.zoom_range={self.zoom_range}: expected a fraction, or [lowest, highest]"
            )
        if self.brightness_range and not _is_range(self.brightness_range):
            raise ConvscopeError(
                f"augmentation.brightness_range={self.brightness_range}: expected [] or [lowest, highest]"
            )

    @property
    def zoom(self) -> tuple[float, float]:
        """The lowest and the highest zoom factor."""
        if isinstance(self.zoom_range, int | float):
            return 1 - self.zoom_range, 1 + self.zoom_range
        lowest, highest = self.zoom_range
        return lowest, highest

    @property
    def is_identity(self) -> bool:
        """Whether augmentation leaves every picture unchanged."""
        sampled = (
            self.rotation_range, self.width_shift_range, self.height_shift_range, self.shear_range,
            self.channel_shift_range, self.horizontal_flip, self.vertical_flip,
        )  # fmt: skip
        return not any(sampled) and not self.brightness_range and self.zoom == (1, 1)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(bound, int | float) for bound in value)
        and 0 <= value[0] <= value[1] < math.inf
    )
