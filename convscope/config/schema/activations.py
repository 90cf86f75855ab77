"""The schema of stage 3's feature maps."""

from dataclasses import dataclass
from enum import StrEnum

from convscope.errors import ConvscopeError
from convscope.options import check_range, option


class Normalize(StrEnum):
    """What the colours of feature maps stand for."""

    channel = "channel"
    layer = "layer"
    dataset = "dataset"
    range = "range"


class Statistics(StrEnum):
    """What channels are counted over."""

    photographs = "photographs"
    split = "split"  # type: ignore[assignment]  # hides str.split, which nobody needs here


class Order(StrEnum):
    """In which order channels are shown."""

    channel = "channel"
    mean = "mean"


class Animation(StrEnum):
    """What an animation is written as."""

    gif = "gif"
    mp4 = "mp4"


class Arrays(StrEnum):
    """The type of numbers in files."""

    float16 = "float16"
    float32 = "float32"


@dataclass
class ActivationsConfig:
    """Grids of feature maps."""

    layers: list[str] = option(
        [],
        "paths, globs, type:Conv2D, places, slices, last_conv, every:10; [] is all convolutions, poolings, "
        "dense layers",
    )
    normalize: Normalize = option(
        Normalize.channel,
        "channel: each its mean ± 2 deviations; layer: one scale for all; dataset: each from 0 to its 99.5th "
        "percentile over splits; range: the one below",
    )
    range: list[float] = option([], "[lowest, highest] for normalize=range, to compare photographs and runs")
    statistics: Statistics = option(
        Statistics.photographs, "split: also find dead channels, over 1,000 pictures of splits or more"
    )
    order: Order = option(Order.channel, "of the tiles: by channel, or by mean, the highest first")
    before_activation: bool = option(
        False, "also what layers with an activation inside, such as Conv2D(activation=relu), have before it"
    )
    channels: bool = option(False, "also a picture of each channel")
    animate: list[Animation] = option(
        [], "gif, mp4: also the grids in order of depth; with channels=true the channels of each layer, too"
    )
    rate: float = option(2, "frames a second; of channels ten times as many, at most 50")
    batch: int = option(
        1, "photographs in one forward pass: more are no faster without an accelerator, and take more memory"
    )
    save_arrays: Arrays | None = option(None, "float16 or float32: also the maps themselves, as maps.npz")
    max_tile: int = option(96, "longest side of a tile in pixels; larger maps are shrunk")
    columns: int | None = option(None, "tiles a row; null: 16 or 8, or with canvas what fills it best")
    canvas: list[int] = option([], "[width] or [width,height] of a grid in pixels; [] as the tiles want it")
    channel_canvas: list[int] = option([], "[width,height] of a channel's picture")
    color_map: str = option("viridis", "a colour map of Matplotlib's")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("activations.max_tile", self.max_tile, 16, 1024)
        check_range("activations.rate", self.rate, 0.1, 50)
        if self.columns is not None:
            check_range("activations.columns", self.columns, 1)
        _check_canvas("activations.canvas", self.canvas, (0, 1, 2), narrowest=320)
        _check_canvas("activations.channel_canvas", self.channel_canvas, (0, 2), narrowest=100)
        check_range("activations.batch", self.batch, 1)
        ordered = len(self.range) == 2 and self.range[0] < self.range[1]
        if (self.normalize is Normalize.range) != bool(self.range) or (self.range and not ordered):
            raise ConvscopeError(
                f"activations.normalize={self.normalize} and activations.range={self.range}: expected "
                "normalize=range with range=[lowest,highest]"
            )


def _check_canvas(key: str, canvas: list[int], lengths: tuple[int, ...], *, narrowest: int) -> None:
    if len(canvas) not in lengths:
        raise ConvscopeError(f"{key}={canvas}: expected [width,height] in pixels, or [] for as it comes")
    for side, least in zip(canvas, (narrowest, 100), strict=False):
        check_range(key, side, least, 10_000)
