"""The settings of the view `gallery`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, ViewConfig
from convscope.options import check_range, option


@dataclass
class GalleryConfig(ViewConfig):
    """Class activation of the photographs of a split that the model is surest and least sure of."""

    name = "gallery"
    title = "Gallery"
    drawn_by = f"{VIEWS_PACKAGE}.gallery:GalleryView"
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
