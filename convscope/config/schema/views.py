"""The views of stage 3: the settings of each, and the table that names them all."""

from dataclasses import dataclass
from enum import StrEnum

from convscope.config.schema.view import ViewConfig
from convscope.errors import ConvscopeError
from convscope.options import check_range, option

_VIEWS = "convscope.app.visualize.views"
_OF_LAYER = ("photograph", "layer", "index", "place", "number")


class Normalize(StrEnum):
    """The range of values that the colours of feature maps span."""

    channel = "channel"
    layer = "layer"
    dataset = "dataset"
    range = "range"


class Statistics(StrEnum):
    """The images over which channels are counted."""

    photographs = "photographs"
    split = "split"  # type: ignore[assignment]  # hides str.split, which is not used here


class Order(StrEnum):
    """The order of the channels in a grid."""

    channel = "channel"
    mean = "mean"


class Animation(StrEnum):
    """The file format of an animation."""

    gif = "gif"
    mp4 = "mp4"


class Arrays(StrEnum):
    """The data type of saved arrays."""

    float16 = "float16"
    float32 = "float32"


@dataclass
class LayersConfig(ViewConfig):
    """The table and the diagram of all layers."""

    name = "layers"
    title = "Layers"
    drawn_by = f"{_VIEWS}.layers:Layers"


@dataclass
class ClassActivationConfig(ViewConfig):
    """Grad-CAM."""

    name = "class_activation"
    title = "Class activation"
    drawn_by = f"{_VIEWS}.class_activation:ClassActivation"

    layer: str | None = option(None, "null is the last feature maps before the head")
    class_name: str | None = option(None, "the class to explain; null is the predicted one")
    color_map: str = option("inferno", "a colour map of Matplotlib's")
    overlay_file: str = option(
        "class_activation/{photograph}/{class}_overlay.png",
        "file name of the heatmap over the photograph",
        placeholders=("photograph", "class"),
    )
    heatmap_file: str = option(
        "class_activation/{photograph}/{class}_heatmap.png",
        "file name of the heatmap alone",
        placeholders=("photograph", "class"),
        single=True,
    )


@dataclass
class ActivationsConfig(ViewConfig):
    """Grids of feature maps."""

    name = "activations"
    title = "Feature maps"
    drawn_by = f"{_VIEWS}.activations:Activations"

    layers: list[str] = option(
        [],
        "paths, globs, type:Conv2D, places, slices, last_conv, every:10; [] is all convolutions, poolings, "
        "dense layers",
    )
    normalize: Normalize = option(
        Normalize.channel,
        "channel: each its mean ± 2 deviations; layer: one scale for all; dataset: each from 0 to its 99.5th "
        "percentile over splits; range: the one below",
        single=True,
    )
    range: list[float] = option(
        [], "[lowest, highest] for normalize=range, to compare photographs and runs", single=True
    )
    statistics: Statistics = option(
        Statistics.photographs,
        "split: also find dead channels, over 1,000 pictures of splits or more",
        single=True,
    )
    order: Order = option(
        Order.channel, "of the tiles: by channel, or by mean, the highest first", single=True
    )
    before_activation: bool = option(
        False,
        "also what layers with an activation inside, such as Conv2D(activation=relu), have before it",
        single=True,
    )
    channels: bool = option(False, "also a picture of each channel", single=True)
    animate: list[Animation] = option(
        [],
        "gif, mp4: also the grids in order of depth; with channels=true the channels of each layer, too",
        single=True,
    )
    rate: float = option(2, "frames a second; of channels ten times as many, at most 50", single=True)
    batch: int = option(
        1, "photographs in one forward pass: more are no faster without an accelerator, and take more memory"
    )
    save_arrays: Arrays | None = option(
        None, "float16 or float32: also the maps themselves, as maps.npz", single=True
    )
    max_tile: int = option(96, "longest side of a tile in pixels; larger maps are shrunk")
    columns: int | None = option(
        None, "tiles a row; null: 16 or 8, or with canvas what fills it best", single=True
    )
    canvas: list[int] = option(
        [], "[width] or [width,height] of a grid in pixels; [] as the tiles want it", single=True
    )
    channel_canvas: list[int] = option([], "[width,height] of a channel's picture", single=True)
    color_map: str = option("viridis", "a colour map of Matplotlib's")
    file: str = option(
        "activations/{photograph}/{index}_{layer}.png",
        "file name of a layer's channels; also {place} and {number}, among the layers that are drawn, from 0 "
        "and from 01; .jpg makes a JPEG",
        placeholders=_OF_LAYER,
    )
    channel_file: str = option(
        "activations/{photograph}/channels/{index}--{channel}.png",
        "file name of one channel; placeholders as in file",
        placeholders=(*_OF_LAYER, "channel"),
        single=True,
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
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


@dataclass
class EvolutionConfig(ViewConfig):
    """Feature maps across the epochs of a training."""

    name = "evolution"
    title = "Evolution"
    drawn_by = f"{_VIEWS}.evolution:Evolution"
    intro = (
        "What chosen channels put out for a photograph, before the first step (epoch 0; after a first phase, "
        "where there was one) and after its epochs, the same scale throughout. Hatched: the same everywhere."
    )
    max_models = 1

    layers: list[str] = option([], "as in activations.layers; [] is last_conv")
    channels: list[int] = option([], "which, from 0; [] is the first 8")
    animate: list[Animation] = option([Animation.gif, Animation.mp4], "gif, mp4; [] is the strip alone")
    rate: float = option(2, "snapshots a second")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("evolution.rate", self.rate, 0.1, 50)
        for channel in self.channels:
            check_range("evolution.channels", channel, 0)
        if len(set(self.channels)) < len(self.channels):
            raise ConvscopeError(f"evolution.channels={self.channels}: expected each channel once")


@dataclass
class FiltersConfig(ViewConfig):
    """Patterns that filters respond to, by gradient ascent."""

    name = "filters"
    title = "Filters"
    drawn_by = f"{_VIEWS}.filters:Filters"
    intro = (
        "Each picture began as faint noise and was changed, step by step, so that one filter responds more. "
        "Hatched: the filter stayed silent."
    )

    layers: list[str] = option([], "names or globs; [] is four convolutions across the depth")
    limit: int = option(64, "filters a layer, the first ones; 0 draws all")
    size: int = option(128, "width and height of a pattern in pixels")
    steps: int = option(64, "steps of gradient ascent")
    file: str = option(
        "filters/{layer}.png", "file name of a layer's patterns", placeholders=("layer", "index")
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("filters.limit", self.limit, 0)
        check_range("filters.size", self.size, 16, 1024)
        check_range("filters.steps", self.steps, 1)


@dataclass
class ExamplesConfig(ViewConfig):
    """Parts of the photographs that excite a channel most."""

    name = "examples"
    title = "Examples"
    drawn_by = f"{_VIEWS}.examples:Examples"
    intro = (
        "The parts of photographs that excite a channel most, a row a channel, the strongest first; the "
        "number below the channel's is the highest value. A part is what the place sees; light grey lies "
        "outside the photograph. Where a place sees all of it, an outline is around the place. Hatched: "
        "nothing excites the channel, or all photographs do alike."
    )
    max_models = 1

    layers: list[str] = option([], "names or globs; [] is four convolutions across the depth")
    top: int = option(9, "photographs a channel")
    limit: int = option(32, "channels a layer, the first ones; 0 looks at all")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("examples.top", self.top, 1, 100)
        check_range("examples.limit", self.limit, 0)


@dataclass
class ComparisonConfig(ViewConfig):
    """Several models side by side."""

    name = "comparison"
    title = "Differences by layer"
    drawn_by = f"{_VIEWS}.comparison:Comparison"
    intro = (
        "Correlation: of the maps that a channel has in the one model and in the other, over all places of "
        "the photographs, the mean of the channels; 1 is the same but for a factor. Kernel change: the "
        "length of the difference of a layer's kernels, as a share of the length of the first one's; 0 is "
        "inherited as it was, and unrelated kernels of one length are at 1.41. The numbers are in "
        "comparison/summary.csv."
    )
    min_models = 2
    leads_page = True

    channels: int = option(32, "of a layer, the first ones; 0 draws all")
    normalize: Normalize = option(
        Normalize.layer,
        "layer: one scale for all models and channels; channel: each map its own mean ± 2 deviations",
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("comparison.channels", self.channels, 0)
        if self.normalize not in (Normalize.layer, Normalize.channel):
            raise ConvscopeError(f"comparison.normalize={self.normalize}: expected layer or channel")


# Every view, in the order in which they are drawn and shown; `comparison` follows `activations`.
VIEWS: dict[str, type[ViewConfig]] = {
    view.name: view
    for view in (
        LayersConfig, ClassActivationConfig, ActivationsConfig, EvolutionConfig, FiltersConfig,
        ExamplesConfig, ComparisonConfig,
    )
}  # fmt: skip
