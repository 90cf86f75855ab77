"""The settings of the view `activations`."""

import math
from dataclasses import dataclass
from enum import StrEnum

from convscope.config.schema.view_config import VIEWS_PACKAGE, Animation, Normalize, ViewConfig
from convscope.errors import ConvscopeError
from convscope.options import check_range, option

_OF_LAYER = ("photograph", "layer", "index", "place", "number")


class Statistics(StrEnum):
    """The images that dead channels are counted on."""

    photographs = "photographs"
    split = "split"  # type: ignore[assignment]  # hides str.split, which is not used here


class Order(StrEnum):
    """The order of the channels in a grid."""

    channel = "channel"
    mean = "mean"


class Arrays(StrEnum):
    """The data type of saved arrays."""

    float16 = "float16"
    float32 = "float32"


@dataclass
class ActivationsConfig(ViewConfig):
    """Grids of feature maps."""

    name = "activations"
    title = "Feature maps"
    drawn_by = f"{VIEWS_PACKAGE}.activations:ActivationsView"
    by_photograph = True

    layers: list[str] = option(
        [],
        "paths, globs, type:Conv2D, indices, slices, last_conv, every:10; [] selects all convolutions, "
        "poolings and dense layers",
        heading="Views",
    )
    normalize: Normalize = option(
        Normalize.channel,
        "channel: each channel from its mean - 2 to its mean + 2 standard deviations; layer: one scale for "
        "all channels; dataset: each channel from 0 to its 99.5th percentile over splits (symmetric around 0 "
        "if the layer has negative values); range: the option range",
        single=True,
    )
    range: list[float] = option(
        [], "[lowest, highest] for normalize=range, to compare photographs and runs", single=True
    )
    statistics: Statistics = option(
        Statistics.photographs,
        "split: also find dead channels, over 1,000 images of splits or more",
        single=True,
    )
    order: Order = option(
        Order.channel, "order of the tiles: by channel, or by mean with the highest first", single=True
    )
    before_activation: bool = option(
        False,
        "also draw the values before an activation inside a layer, as in Conv2D(activation=relu); the page "
        "then has a switch for all layers with an activation",
        single=True,
    )
    channels: bool = option(False, "also draw each channel as a picture of its own", single=True)
    animate: list[Animation] = option(
        [],
        "gif, mp4: also animate the grids by depth and, with channels=true, the channels of each layer",
        heading="Views",
        single=True,
    )
    rate: float = option(
        2, "frames per second, at most 50; animations of channels are ten times as fast", single=True
    )
    batch: int = option(
        1, "photographs in one forward pass; more photographs need more memory and are not faster on a CPU"
    )
    save_arrays: Arrays | None = option(
        None, "float16 or float32: also save the feature maps as maps.npz", single=True
    )
    max_tile: int = option(96, "longest side of a tile in pixels; larger maps are shrunk")
    max_megabytes: float = option(
        100,
        "maximum size of all maps and grids; beyond it, only the first photographs have grids, and if the "
        "maps alone are larger, the page shows the strongest channels",
    )
    columns: int | None = option(
        None, "tiles in a row; null selects 16 or 8, or the number that fills canvas best", single=True
    )
    canvas: list[int] = option(
        [], "[width] or [width,height] of a grid in pixels; [] fits the tiles", single=True
    )
    channel_canvas: list[int] = option(
        [], "[width,height] of the picture of one channel in pixels; [] fits the map", single=True
    )
    color_map: str = option("viridis", "a colour map of Matplotlib")
    file: str = option(
        "activations/{photograph}/{index}_{layer}.png",
        "file name of a grid; {place} and {number} count drawn layers from 0 and from 01; .jpg writes JPEG",
        placeholders=_OF_LAYER,
    )
    channel_file: str = option(
        "activations/{photograph}/channels/{index}--{channel}.png",
        "file name of one channel; placeholders as in file, and {channel}",
        placeholders=(*_OF_LAYER, "channel"),
        single=True,
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("activations.max_tile", self.max_tile, 16, 1024)
        check_range("activations.max_megabytes", self.max_megabytes, 0.001)
        check_range("activations.rate", self.rate, 0.1, 50)
        if self.columns is not None:
            check_range("activations.columns", self.columns, 1)
        _check_canvas("activations.canvas", self.canvas, (0, 1, 2), narrowest=320)
        _check_canvas("activations.channel_canvas", self.channel_canvas, (0, 2), narrowest=100)
        check_range("activations.batch", self.batch, 1)
        ordered = len(self.range) == 2 and -math.inf < self.range[0] < self.range[1] < math.inf
        if (self.normalize is Normalize.range) != bool(self.range) or (self.range and not ordered):
            raise ConvscopeError(
                f"activations.normalize={self.normalize} and activations.range={self.range}: expected "
                "normalize=range with range=[lowest,highest]"
            )


def _check_canvas(key: str, canvas: list[int], lengths: tuple[int, ...], *, narrowest: int) -> None:
    if len(canvas) not in lengths:
        raise ConvscopeError(f"{key}={canvas}: expected [width,height] in pixels, or []")
    for side, least in zip(canvas, (narrowest, 100), strict=False):
        check_range(key, side, least, 10_000)
