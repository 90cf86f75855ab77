"""The schema of every configuration: dataclasses whose fields carry their own help.

The YAML files under `conf/` hold the values; what they and the command line say is checked against
these classes before TensorFlow is imported. A config names data, never code.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from convscope.errors import ConvscopeError
from convscope.preprocessing import by_name


def option(default: Any, text: str) -> Any:
    """A dataclass field with its default and its line in `--help`."""
    metadata = {"help": text}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check_range(key: str, value: float, low: float, high: float = math.inf, *, below: bool = False) -> None:
    """Raise ConvscopeError unless low <= value <= high (value < high with `below`)."""
    if not (low <= value <= high) or (below and value == high):
        upper = "" if high == math.inf else f" and {'below' if below else 'at most'} {high:g}"
        raise ConvscopeError(f"{key}={value} is out of range: expected at least {low:g}{upper}")


class SplitOf(StrEnum):
    """What the fraction for the test split is a fraction of."""

    remainder = "remainder"
    total = "total"


class View(StrEnum):
    """What stage 3 can draw."""

    activations = "activations"
    filters = "filters"
    class_activation = "class_activation"


class FillMode(StrEnum):
    """What augmentation fills the places with that lie outside the picture."""

    nearest = "nearest"
    reflect = "reflect"
    wrap = "wrap"
    constant = "constant"


@dataclass
class DatasetConfig:
    """A data set: what every kind of source has."""

    name: str = option(MISSING, "the data set's folder under dataset.root")
    root: str = option("data", "where data sets are kept")

    def __post_init__(self) -> None:
        """Refuse names that lead out of the root."""
        if self.name != MISSING and (self.name in ("", ".", "..") or set(self.name) & set("/\\")):
            raise ConvscopeError(
                f"dataset.name={self.name!r} is no folder name: expected one without / or \\"
            )


@dataclass
class ProceduralConfig(DatasetConfig):
    """Pictures of five flowers, drawn by code."""

    images_per_class: int = option(300, "pictures of each of the five flowers")
    image_size: int = option(128, "width and height in pixels")
    difficulty: float = option(0.45, "0 to 1: how small, aslant, cluttered and noisy")
    seed: int = option(0, "the same seed draws the same bytes")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("dataset.images_per_class", self.images_per_class, 3, 100_000)
        check_range("dataset.image_size", self.image_size, 32, 2048)
        check_range("dataset.difficulty", self.difficulty, 0, 1)
        check_range("dataset.seed", self.seed, 0)


@dataclass
class FolderConfig(DatasetConfig):
    """Any folder of class folders."""

    source: str | None = option(None, "stage 1: the folder that holds a folder for each class")


@dataclass
class SplitConfig:
    """How images are divided."""

    validation: float = option(0.15, "fraction of each class for validation")
    test: float = option(0.2, "fraction of each class for test, of what `of` says")
    of: SplitOf = option(SplitOf.remainder, "test is a fraction of the remainder or of the total")
    seed: int = option(0, "decides which image goes where")

    def __post_init__(self) -> None:
        """Check that something is left to train on."""
        check_range("split.validation", self.validation, 0, 1, below=True)
        check_range("split.test", self.test, 0, 1, below=True)
        check_range("split.seed", self.seed, 0)
        if self.of is SplitOf.total and self.validation + self.test >= 1:
            raise ConvscopeError(
                f"split.validation={self.validation} and split.test={self.test} leave nothing to "
                "train on: expected a sum below 1"
            )


@dataclass
class PrepareConfig:
    """Stage 1."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    overwrite: bool = option(False, "replace a data set of the same name and other settings")
    debug: bool = option(False, "show a traceback with an error")


@dataclass
class ModelConfig:
    """A network: what every kind has."""

    input_size: int = option(MISSING, "width and height of the input in pixels")
    preprocessing: str = option(MISSING, "none, unit_range, minus_one_to_one, caffe or torch")
    dropout: float = option(MISSING, "fraction of the head's inputs that training drops")

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.input_size != MISSING:
            check_range("model.input_size", self.input_size, 16, 2048)
        if self.dropout != MISSING:
            check_range("model.dropout", self.dropout, 0, 1, below=True)
        if self.preprocessing != MISSING:
            by_name(self.preprocessing)


@dataclass
class SmallConvnetConfig(ModelConfig):
    """The book's convnet: convolution and pooling in turn."""

    widths: list[int] = option([32, 64, 128, 128], "filters of each convolution")
    units: int = option(512, "units of the dense layer before the last")

    def __post_init__(self) -> None:
        """Check that a feature map is left after the last pooling."""
        super().__post_init__()
        check_range("model.units", self.units, 1)
        for width in self.widths:
            check_range("model.widths", width, 1)
        if self.input_size == MISSING:
            return
        side = self.input_size
        for _ in self.widths:
            side = (side - 2) // 2
        if side < 1 or not self.widths:
            raise ConvscopeError(
                f"model.widths={self.widths} does not fit model.input_size={self.input_size}: "
                "expected one convolution or more, and a larger input or fewer of them"
            )


@dataclass
class InceptionV3Config(ModelConfig):
    """InceptionV3 with a head of its own."""

    weights: str | None = option("imagenet", "the trunk's weights: imagenet, null, or a file")
    units: int = option(256, "units of the dense layer before the last")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("model.units", self.units, 1)
        if self.input_size != MISSING:
            check_range("model.input_size", self.input_size, 75, 2048)


@dataclass
class AugmentationConfig:
    """Keras' ImageDataGenerator: what it does to training pictures, 0 to 255, before preprocessing."""

    rotation_range: float = option(0.0, "degrees, to either side")
    width_shift_range: float = option(0.0, "fraction of the width, to either side")
    height_shift_range: float = option(0.0, "fraction of the height, to either side")
    shear_range: float = option(0.0, "degrees")
    zoom_range: float = option(0.0, "fraction, in and out")
    brightness_range: list[float] = option([], "[lowest, highest] factor; [] leaves it alone")
    channel_shift_range: float = option(0.0, "grey levels, to either side")
    horizontal_flip: bool = option(False, "mirror every other picture")
    vertical_flip: bool = option(False, "turn every other picture upside down")
    fill_mode: FillMode = option(FillMode.nearest, "what lies outside the picture")

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("width_shift_range", "height_shift_range", "zoom_range"):
            check_range(f"augmentation.{name}", getattr(self, name), 0, 1, below=True)
        for name in ("rotation_range", "shear_range"):
            check_range(f"augmentation.{name}", getattr(self, name), 0, 180)
        check_range("augmentation.channel_shift_range", self.channel_shift_range, 0, 255)
        low_high = self.brightness_range
        if low_high and (len(low_high) != 2 or not 0 <= low_high[0] <= low_high[1]):
            raise ConvscopeError(
                f"augmentation.brightness_range={low_high}: expected [] or [lowest, highest]"
            )


@dataclass
class TrainingConfig:
    """The loop."""

    epochs: int = option(10, "passes over the training images")
    batch_size: int = option(32, "images a step")
    learning_rate: float = option(1e-3, "of Adam")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("training.epochs", self.epochs, 1)
        check_range("training.batch_size", self.batch_size, 1)
        check_range("training.learning_rate", self.learning_rate, 0)


@dataclass
class TrainConfig:
    """Stage 2."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = option(0, "of weights, order, augmentation and dropout")
    overwrite: bool = option(False, "train again into a run directory that holds a model")
    debug: bool = option(False, "show a traceback with an error")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("seed", self.seed, 0, 2**32 - 1)


@dataclass
class ActivationsConfig:
    """Grids of feature maps."""

    layers: list[str] = option([], "names or globs; [] is every convolution and pooling layer")
    max_tile: int = option(96, "longest side of a tile in pixels; larger maps are shrunk")
    color_map: str = option("viridis", "a colour map of Matplotlib's")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("activations.max_tile", self.max_tile, 16, 1024)


@dataclass
class FiltersConfig:
    """Patterns that filters respond to, by gradient ascent."""

    layers: list[str] = option([], "names or globs; [] is four convolutions across the depth")
    limit: int = option(64, "filters a layer, the first ones; 0 draws all")
    size: int = option(128, "width and height of a pattern in pixels")
    steps: int = option(64, "steps of gradient ascent")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("filters.limit", self.limit, 0)
        check_range("filters.size", self.size, 16, 1024)
        check_range("filters.steps", self.steps, 1)


@dataclass
class ClassActivationConfig:
    """Grad-CAM."""

    layer: str | None = option(None, "null is the last feature maps before the head")
    class_name: str | None = option(None, "the class to explain; null is the predicted one")
    color_map: str = option("inferno", "a colour map of Matplotlib's")


@dataclass
class VisualizeConfig:
    """Stage 3."""

    checkpoint: str | None = option(None, "a run directory or .keras file; null is the last run")
    images: list[str] = option(
        [], "photographs, folders, globs, @LIST.txt; [] is one test image of each class"
    )
    views: list[View] = option(list(View), "what to draw")
    activations: ActivationsConfig = field(default_factory=ActivationsConfig)
    filters: FiltersConfig = field(default_factory=FiltersConfig)
    class_activation: ClassActivationConfig = field(default_factory=ClassActivationConfig)
    seed: int = option(0, "of the noise that gradient ascent starts from")
    overwrite: bool = option(False, "draw again into a run directory that holds a page")
    debug: bool = option(False, "show a traceback with an error")

    def __post_init__(self) -> None:
        """Check the ranges, and that something is to be drawn."""
        check_range("seed", self.seed, 0, 2**32 - 1)
        if not self.views:
            raise ConvscopeError(f"views=[] draws nothing: expected some of {', '.join(View)}")
