"""The settings of the view `classes`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, ViewConfig
from convscope.errors import unknown
from convscope.options import check_range, option

_METHODS = ("maco", "fourier")


@dataclass
class ClassesConfig(ViewConfig):
    """Pictures with a high logit of a class, made by gradient ascent."""

    name = "classes"
    title = "Classes"
    drawn_by = f"{VIEWS_PACKAGE}.classes:ClassesView"
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
        if self.method not in _METHODS:
            raise unknown("classes.method", self.method, _METHODS)
