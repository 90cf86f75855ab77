"""The settings of the view `examples`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, ViewConfig
from convscope.options import check_range, option


@dataclass
class ExamplesConfig(ViewConfig):
    """Crops of the photographs with the highest values in a channel."""

    name = "examples"
    title = "Examples"
    drawn_by = f"{VIEWS_PACKAGE}.examples:ExamplesView"
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
