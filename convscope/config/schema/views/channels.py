"""The settings of the view `channels`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, ViewConfig
from convscope.options import check_range, option


@dataclass
class ChannelsConfig(ViewConfig):
    """What each channel responds to, what it does to the classes, and how it is connected."""

    name = "channels"
    title = "Channels"
    drawn_by = f"{VIEWS_PACKAGE}.channels.drawing:ChannelsView"
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
