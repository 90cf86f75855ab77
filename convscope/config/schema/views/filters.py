"""The settings of the view `filters`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, Animation, ViewConfig
from convscope.errors import ConvscopeError, unknown
from convscope.options import check_range, option

_METHODS = ("fourier", "maco", "book")


@dataclass
class FiltersConfig(ViewConfig):
    """Patterns that channels respond to, computed by gradient ascent."""

    name = "filters"
    title = "Filters"
    drawn_by = f"{VIEWS_PACKAGE}.filters.drawing:FiltersView"
    intro = (
        "Kernels of the first convolution, and patterns. A pattern is a picture that gradient ascent changes "
        "until a channel responds to it. To its right: the parts of photographs that the channel responds to "
        "most. The number compares the two: 2× means that the highest response to the pattern is twice that "
        "to any of the photographs. The patterns of a layer that is linear in the pixels are exact. Hatched: "
        "the channel does not respond; the caption says what was tried."
    )

    layers: list[str] = option(
        [],
        "paths or globs, also of dense layers; [] selects four convolutions across the depth",
        heading="Views",
    )
    channels: list[int] = option([], "indices from 0; [] chooses count channels", heading="Views")
    count: int = option(
        16,
        "number of channels of each layer: those with the highest responses to splits or, without a data "
        "set, evenly spread ones; 0 draws all",
        heading="Views",
    )
    method: str = option(
        "fourier",
        "fourier, maco (fixed magnitude spectrum, optimized phase), or book (Chollet's loop on pixels)",
    )
    size: int = option(128, "width and height of a pattern in pixels; dense layers use the model's size")
    steps: int = option(64, "steps of gradient ascent")
    accentuate: bool = option(
        False,
        "also change each photograph a little, so that the channels that it excites most respond more; "
        "the change shows what excites them",
        heading="Views",
        single=True,
    )
    animate: list[Animation] = option(
        [], "gif, mp4: also animate the ascent; patterns in the cache are computed again", single=True
    )
    cache: str = option("data/.patterns", "folder for patterns of earlier runs; '' uses none")
    file: str = option(
        "filters/{layer}.jpg", "file name of the patterns of a layer", placeholders=("layer", "index")
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("filters.count", self.count, 0)
        check_range("filters.size", self.size, 16, 1024)
        check_range("filters.steps", self.steps, 1)
        if self.method not in _METHODS:
            raise unknown("filters.method", self.method, _METHODS)
        for channel in self.channels:
            check_range("filters.channels", channel, 0)
        if len(set(self.channels)) < len(self.channels):
            raise ConvscopeError(f"filters.channels={self.channels}: expected each channel once")
