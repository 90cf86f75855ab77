"""The schema of stage 3."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from convscope.config.schema.activations import ActivationsConfig, Animation, Normalize
from convscope.config.schema.files import FilesConfig
from convscope.errors import ConvscopeError
from convscope.options import check_range, option
from convscope.preprocessing import chosen

RANDOM, APPLICATION = "random", "application"  # what compare calls models that are no files


class View(StrEnum):
    """What stage 3 can draw."""

    activations = "activations"
    filters = "filters"
    class_activation = "class_activation"
    layers = "layers"
    examples = "examples"
    evolution = "evolution"


_COMPARED = (View.activations, View.filters, View.class_activation, View.layers)
_HEEDED = ("activations.layers", "activations.max_tile", "activations.color_map")


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
class ExamplesConfig:
    """Parts of the photographs that excite a channel most."""

    layers: list[str] = option([], "names or globs; [] is four convolutions across the depth")
    top: int = option(9, "photographs a channel")
    limit: int = option(32, "channels a layer, the first ones; 0 looks at all")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("examples.top", self.top, 1, 100)
        check_range("examples.limit", self.limit, 0)


@dataclass
class EvolutionConfig:
    """Feature maps across the epochs of a training."""

    layers: list[str] = option([], "as in activations.layers; [] is last_conv")
    channels: list[int] = option([], "which, from 0; [] is the first 8")
    animate: list[Animation] = option([Animation.gif, Animation.mp4], "gif, mp4; [] is the strip alone")
    rate: float = option(2, "snapshots a second")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("evolution.rate", self.rate, 0.1, 50)
        for channel in self.channels:
            check_range("evolution.channels", channel, 0)
        if len(set(self.channels)) < len(self.channels):
            raise ConvscopeError(f"evolution.channels={self.channels}: expected each channel once")


@dataclass
class ComparisonConfig:
    """Several models side by side."""

    channels: int = option(32, "of a layer, the first ones; 0 draws all")
    normalize: Normalize = option(
        Normalize.layer,
        "layer: one scale for all models and channels; channel: each map its own mean ± 2 deviations",
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("comparison.channels", self.channels, 0)
        if self.normalize not in (Normalize.layer, Normalize.channel):
            raise ConvscopeError(f"comparison.normalize={self.normalize}: expected layer or channel")


class Outputs(StrEnum):
    """What a model puts out."""

    probabilities = "probabilities"
    logits = "logits"


@dataclass
class CheckpointConfig:
    """Which model, and how to read one that train.py did not write."""

    checkpoint: str | None = option(
        None, "a run directory, or a .keras, .h5 or .hdf5 file; null is the last run"
    )
    application: str | None = option(None, "instead: a classifier of keras.applications, such as VGG16")
    weights: str | None = option("imagenet", "of the application: imagenet, null, or a file")
    preprocessing: str | None = option(
        None, "unit_range, minus_one_to_one, caffe, torch, none, or affine with scale and offset"
    )
    scale: list[float] = option([], "pixels * scale + offset, one number or three")
    offset: list[float] = option([], "see scale")
    class_names: list[str] = option([], "in the order of its outputs, or @FILE with a name a line")
    input_size: int | None = option(None, "height and width in pixels where the model leaves them open")
    input: str | None = option(None, "which of several inputs is the picture")
    output: str | None = option(None, "which of several outputs tells the class")
    outputs: Outputs | None = option(None, "probabilities or logits, where the last layer does not tell")
    allow_code: bool = option(False, "run the Lambda layers of a file: its author's code")

    def __post_init__(self) -> None:
        """Check that the preprocessing is known and whole."""
        if self.preprocessing is not None:
            chosen(self.preprocessing, self.scale, self.offset)
        if self.checkpoint and self.application:
            raise ConvscopeError("checkpoint and application are both given: expected one of them")


@dataclass
class VisualizeConfig(CheckpointConfig):
    """Stage 3."""

    images: list[str] = option(
        [], "photographs, folders, globs, @LIST.txt; [] is one test image of each class"
    )
    splits: list[str] = option(
        ["train"],
        "what examples, activations.normalize=dataset and activations.statistics=split look at: train, "
        "validation, test of the model's data set, or photographs, folders, globs, @LIST.txt",
    )
    views: list[View] = option(
        [View.activations, View.filters, View.class_activation, View.layers],
        "what to draw; also examples, and evolution of a run with callbacks=[snapshots]",
    )
    activations: ActivationsConfig = field(default_factory=ActivationsConfig)
    filters: FiltersConfig = field(default_factory=FiltersConfig)
    class_activation: ClassActivationConfig = field(default_factory=ClassActivationConfig)
    examples: ExamplesConfig = field(default_factory=ExamplesConfig)
    evolution: EvolutionConfig = field(default_factory=EvolutionConfig)
    compare: list[str] = option(
        [],
        "instead of one model, several side by side: runs, files, snapshots of a run, application (the one "
        "above), random (untrained weights for the first of the others)",
    )
    comparison: ComparisonConfig = field(default_factory=ComparisonConfig)
    files: FilesConfig = field(default_factory=FilesConfig)
    seed: int = option(0, "of the noise that gradient ascent starts from, and of random weights")
    overwrite: bool = option(False, "draw again into a run directory that holds a page")
    debug: bool = option(False, "show a traceback with an error")

    def __post_init__(self) -> None:
        """Check the ranges, and that something is to be drawn."""
        super().__post_init__()
        check_range("seed", self.seed, 0, 2**32 - 1)
        if not self.views:
            raise ConvscopeError(f"views=[] draws nothing: expected some of {', '.join(View)}")
        if not self.splits:
            raise ConvscopeError("splits=[] holds no examples: expected train, validation, test, or folders")
        if self.compare:
            self._check_comparison()

    def _check_comparison(self) -> None:
        """Check that what is asked for of several models can be had."""
        given = f"compare=[{','.join(self.compare)}]"
        trained = [entry for entry in self.compare if entry != RANDOM]
        if len(self.compare) < 2 or not trained:
            raise ConvscopeError(
                f"{given}: expected two models or more, one of them not random, such as "
                f"compare=[random,{self.checkpoint or 'RUN'}]"
            )
        if (self.application is None) == (APPLICATION in trained):
            raise ConvscopeError(
                f"{given}, application={self.application or 'null'}: expected both the word 'application' in "
                "compare and its name in application=NAME, or neither"
            )
        if self.checkpoint and Path(self.checkpoint) not in map(Path, trained):
            raise ConvscopeError(
                f"{given} draws the models that it lists, and checkpoint={self.checkpoint} is none of them: "
                "add it to the list, or leave checkpoint out"
            )
        for view in self.views:
            if view not in _COMPARED:
                raise ConvscopeError(
                    f"compare draws the views {', '.join(_COMPARED)}: leave {view} out of views"
                )
        usual = VisualizeConfig()._unheeded()
        for key, value in self._unheeded().items():
            if value != usual[key]:
                raise ConvscopeError(
                    f"{key}={value}: leave it out; compare heeds {', '.join(_HEEDED)}, filters, "
                    "class_activation, comparison.channels and comparison.normalize"
                )

    def _unheeded(self) -> dict[str, Any]:
        """What compare passes over, by its key."""
        groups = ("activations", "examples", "evolution", "files")
        given = {
            f"{group}.{key}": value for group in groups for key, value in vars(getattr(self, group)).items()
        }
        return {"splits": self.splits} | {key: value for key, value in given.items() if key not in _HEEDED}
