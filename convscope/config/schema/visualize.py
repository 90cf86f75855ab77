"""The schema of stage 3: the views."""

from dataclasses import dataclass, field
from enum import StrEnum

from convscope.config.schema.fields import check_range, option
from convscope.errors import ConvscopeError


class View(StrEnum):
    """What stage 3 can draw."""

    activations = "activations"
    filters = "filters"
    class_activation = "class_activation"


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
