"""The settings of the view `comparison`."""

from dataclasses import dataclass

from convscope.config.schema.view_config import VIEWS_PACKAGE, Normalize, ViewConfig
from convscope.errors import ConvscopeError
from convscope.options import check_range, option


@dataclass
class ComparisonConfig(ViewConfig):
    """Several models side by side."""

    name = "comparison"
    title = "Differences by layer"
    drawn_by = f"{VIEWS_PACKAGE}.comparison:ComparisonView"
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
