"""The settings of the view `evolution`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, Animation, ViewConfig
from convscope.errors import ConvscopeError
from convscope.options import check_range, option


@dataclass
class EvolutionConfig(ViewConfig):
    """Feature maps across the epochs of a training."""

    name = "evolution"
    title = "Evolution"
    drawn_by = f"{VIEWS_PACKAGE}.evolution:EvolutionView"
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
