"""The settings of the views of stage 3, and the table of all views."""

import math
from dataclasses import dataclass
from enum import StrEnum

from convscope.config.schema.view_config import ViewConfig
from convscope.errors import ConvscopeError, unknown
from convscope.options import check_range, option

_VIEWS = "convscope.app.visualize.views"
FILTER_METHODS = ("fourier", "maco", "book")
CLASS_METHODS = ("maco", "fourier")
_OF_TARGET = ("photograph", "class", "method")
_OF_LAYER = ("photograph", "layer", "index", "place", "number")


class Normalize(StrEnum):
    """The values at the ends of the colour scale of feature maps."""

    channel = "channel"
    layer = "layer"
    dataset = "dataset"
    range = "range"


class Statistics(StrEnum):
    """The images that dead channels are counted on."""

    photographs = "photographs"
    split = "split"  # type: ignore[assignment]  # hides str.split, which is not used here


class Order(StrEnum):
    """The order of the channels in a grid."""

    channel = "channel"
    mean = "mean"


class Merge(StrEnum):
    """How the heatmaps of several layers become one."""

    mean = "mean"
    product = "product"


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
    drawn_by = f"{_VIEWS}.layers:LayersView"


@dataclass
class ClassActivationConfig(ViewConfig):
    """Class activation maps."""

    name = "class_activation"
    title = "Class activation"
    drawn_by = f"{_VIEWS}.class_activation:ClassActivationView"
    by_photograph = True

    method: list[str] = option(
        [],
        "one or several; [] selects grad_cam before global average pooling, else hires_cam. At the layer: "
        "grad_cam, grad_cam_plus_plus, hires_cam, layer_cam, eigen_cam (does not depend on the class), "
        "finer_cam (against the nearest classes), score_cam. At the input: gradient, gradient_times_input, "
        "smooth_gradient, integrated_gradients, occlusion, rise",
    )
    layer: list[str] = option(
        [],
        "the layer whose feature maps are weighted, or several; [] selects the last one before the head",
        heading="Views",
    )
    merge: Merge = option(
        Merge.mean, "how the maps of several layers, each divided by its maximum, are merged: mean or product"
    )
    classes: list[str] = option(
        ["predicted", "true"],
        "what to explain: predicted, true, a class or its index, top:3, all, or a difference such as "
        "daisy-dandelion or predicted-true",
        heading="Views",
    )
    flips: bool = option(False, "average with the heatmap of the mirrored photograph")
    color_map: str = option("inferno", "a colour map of Matplotlib; maps with a sign use blue, white, red")
    alpha: float = option(0.7, "opacity of the heatmap on the photograph where it is highest, 0 to 1")
    scale: float = option(1.0, "factor of the size of the pictures, for slides and print", single=True)
    file: str = option(
        "class_activation/{photograph}/{class}.png",
        "file name of the figure of photograph, heatmap, both and a colour bar; .png, .svg or .pdf",
        placeholders=_OF_TARGET,
        suffixes=(".png", ".svg", ".pdf"),
        single=True,
    )
    mistakes: int = option(
        4,
        "photographs of each cell of the confusion matrix with the maps of the predicted and of the true "
        "class; fewer if the network is large or the method slow; 0 draws none",
        single=True,
    )
    every: int = option(1, "videos: a map for every n-th frame; the frames between show the last map")
    smoothing: float = option(
        0.0,
        "videos: the share of the previous value in probabilities and maps, 0 to below 1; 0 shows each frame "
        "on its own",
    )
    overlay_file: str = option(
        "class_activation/{photograph}/{class}_overlay.png",
        "file name of the heatmap on top of the photograph",
        placeholders=_OF_TARGET,
    )
    heatmap_file: str = option(
        "class_activation/{photograph}/{class}_heatmap.png",
        "file name of the heatmap alone",
        placeholders=_OF_TARGET,
        single=True,
    )
    array_file: str = option(
        "class_activation/{photograph}/{class}.npy",
        "file name of the heatmap as numbers, float32, at the resolution of the method",
        placeholders=_OF_TARGET,
        suffixes=(".npy",),
        single=True,
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("class_activation.alpha", self.alpha, 0, 1)
        check_range("class_activation.scale", self.scale, 0.1, 10)
        check_range("class_activation.mistakes", self.mistakes, 0, 24)
        check_range("class_activation.every", self.every, 1)
        check_range("class_activation.smoothing", self.smoothing, 0, 1, below=True)
        if len(set(self.method)) < len(self.method):
            raise ConvscopeError(
                f"class_activation.method=[{','.join(self.method)}]: expected each method once"
            )
        if not self.classes:
            raise ConvscopeError("class_activation.classes=[]: expected for example [predicted,true]")


@dataclass
class FaithfulnessConfig(ViewConfig):
    """Measurements of class activation: how well its maps show what the network uses."""

    name = "faithfulness"
    title = "Faithfulness of class activation"
    drawn_by = f"{_VIEWS}.faithfulness:FaithfulnessView"
    intro = (
        "Each method explains the predicted class of the same images. Two controls know nothing of the "
        "network: a random map and a centred Gaussian. By a measure, a method is faithful if its interval "
        "lies beyond those of the controls, in the direction of the arrow."
    )
    max_models = 1

    methods: list[str] = option(
        [
            "grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "eigen_cam", "finer_cam",
            "gradient_times_input",
        ],
        "methods of class_activation to measure, at class_activation.layer; [] selects all",
    )  # fmt: skip
    measures: list[str] = option(
        [],
        "single_deletion, road, deletion, insertion, grid_pointing, randomisation; with masks also pointing, "
        "relevance_mass, relevance_rank; [] selects all",
    )
    limit: int = option(200, "maximum number of images, chosen at random from splits; at most 200")

    def __post_init__(self) -> None:
        """Check the range."""
        super().__post_init__()
        check_range("faithfulness.limit", self.limit, 1, 200)


@dataclass
class ActivationsConfig(ViewConfig):
    """Grids of feature maps."""

    name = "activations"
    title = "Feature maps"
    drawn_by = f"{_VIEWS}.activations:ActivationsView"
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


@dataclass
class EvolutionConfig(ViewConfig):
    """Feature maps across the epochs of a training."""

    name = "evolution"
    title = "Evolution"
    drawn_by = f"{_VIEWS}.evolution:EvolutionView"
    needs_all_photographs = True
    intro = (
        "Feature maps of some channels after each epoch, all on one scale. Epoch 0 is before the first step "
        "of the main phase. Hatched: the channel has the same value at every position."
    )
    max_models = 1

    layers: list[str] = option([], "as in activations.layers; [] selects last_conv")
    channels: list[int] = option([], "indices from 0; [] selects the 8 channels that change most")
    animate: list[Animation] = option([Animation.gif, Animation.mp4], "gif, mp4; [] draws only the strip")
    rate: float = option(2, "snapshots per second")

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
    """Patterns that channels respond to, computed by gradient ascent."""

    name = "filters"
    title = "Filters"
    drawn_by = f"{_VIEWS}.filters.drawing:FiltersView"
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
        if self.method not in FILTER_METHODS:
            raise unknown("filters.method", self.method, FILTER_METHODS)
        for channel in self.channels:
            check_range("filters.channels", channel, 0)
        if len(set(self.channels)) < len(self.channels):
            raise ConvscopeError(f"filters.channels={self.channels}: expected each channel once")


@dataclass
class ClassesConfig(ViewConfig):
    """Pictures with a high logit of a class, made by gradient ascent."""

    name = "classes"
    title = "Classes"
    drawn_by = f"{_VIEWS}.classes:ClassesView"
    needs_all_photographs = True
    intro = (
        "Pictures that gradient ascent changes until the logit of a class is high, each from other noise. "
        "Top: the parts that the ascent changed most; the rest is transparent. Below: the whole pictures, "
        "with the probability and the logit that the model gives to them. They show what the model responds "
        "to, which need not be what the class looks like."
    )
    max_models = 1

    classes: list[str] = option(
        [],
        "classes or their indices; [] selects all classes of a model with at most 10, otherwise the first 10 "
        "that are predicted for the photographs",
    )
    count: int = option(4, "pictures of each class")
    method: str = option(
        "maco", "maco (fixed magnitude spectrum, optimized phase, random crops), or fourier (free spectrum)"
    )
    steps: int = option(64, "steps of gradient ascent")
    file: str = option("classes/{class}.png", "file name of the pictures of a class", placeholders=("class",))

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("classes.count", self.count, 1, 16)
        check_range("classes.steps", self.steps, 1)
        if self.method not in CLASS_METHODS:
            raise unknown("classes.method", self.method, CLASS_METHODS)


@dataclass
class GalleryConfig(ViewConfig):
    """Class activation of the photographs of a split that the model is surest and least sure of."""

    name = "gallery"
    title = "Gallery"
    drawn_by = f"{_VIEWS}.gallery:GalleryView"
    intro = (
        "The photographs of splits that the model is surest and least sure of, with class activation. Its "
        "method, layer and colours are those of class_activation."
    )
    max_models = 1

    count: int = option(4, "photographs of each kind and class")

    def __post_init__(self) -> None:
        """Check the range."""
        super().__post_init__()
        check_range("gallery.count", self.count, 1, 20)


@dataclass
class ExamplesConfig(ViewConfig):
    """Crops of the photographs with the highest values in a channel."""

    name = "examples"
    title = "Examples"
    drawn_by = f"{_VIEWS}.examples:ExamplesView"
    intro = (
        "Each row shows the photographs that activate a channel most, the strongest first. The small number "
        "is the highest activation. A crop shows the receptive field of the strongest position; light grey "
        "is outside the photograph. If the receptive field covers the whole photograph, an outline marks the "
        "position. Hatched: no photograph activates the channel, or all activate it equally."
    )
    max_models = 1

    layers: list[str] = option([], "paths or globs; [] selects four convolutions across the depth")
    top: int = option(9, "photographs for each channel")
    limit: int = option(32, "number of channels of each layer, the strongest ones; 0 draws all")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("examples.top", self.top, 1, 100)
        check_range("examples.limit", self.limit, 0)


@dataclass
class ChannelsConfig(ViewConfig):
    """What each channel responds to, what it does to the classes, and how it is connected."""

    name = "channels"
    title = "Channels"
    drawn_by = f"{_VIEWS}.channels.drawing:ChannelsView"
    max_models = 1

    layers: list[str] = option([], "paths or globs; [] selects all convolutions")
    limit: int = option(1000, "maximum number of images, evenly spread over splits")
    minutes: float = option(
        1,
        "duration on two cores, estimated from the size of the network; what does not fit is left out: "
        "images, then the removal of the channels with the weakest push",
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("channels.limit", self.limit, 1)
        check_range("channels.minutes", self.minutes, 0)


@dataclass
class ComparisonConfig(ViewConfig):
    """Several models side by side."""

    name = "comparison"
    title = "Differences by layer"
    drawn_by = f"{_VIEWS}.comparison:ComparisonView"
    intro = (
        "Correlation: Pearson's correlation between the feature maps of a channel in both models, over all "
        "positions of all photographs, averaged over channels. It is 1 if the maps differ only by a positive "
        "factor and an offset. Kernel change: norm of the difference of the kernels, divided by the norm of "
        "the kernels in the first model. It is 0 for equal kernels, and 1.41 for unrelated kernels of equal "
        "norm. All numbers are in comparison/summary.csv."
    )
    min_models = 2

    channels: int = option(32, "number of channels of each layer, the first ones; 0 draws all")
    normalize: Normalize = option(
        Normalize.layer,
        "layer: one scale for all models and channels; channel: each map from its mean - 2 to its mean + 2 "
        "standard deviations",
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("comparison.channels", self.channels, 0)
        if self.normalize not in (Normalize.layer, Normalize.channel):
            raise ConvscopeError(f"comparison.normalize={self.normalize}: expected layer or channel")


# All views in the order in which they are drawn and shown. `comparison` needs the maps of `activations`.
VIEWS: dict[str, type[ViewConfig]] = {
    view.name: view
    for view in (
        LayersConfig, ClassActivationConfig, FaithfulnessConfig, ActivationsConfig, EvolutionConfig,
        FiltersConfig, ClassesConfig, ExamplesConfig, ChannelsConfig, GalleryConfig,
        ComparisonConfig,
    )
}  # fmt: skip
