"""The settings of the augmentation of training images."""

from dataclasses import dataclass
from enum import StrEnum

from convscope.data.augmentation_settings import Ranges
from convscope.errors import ConvscopeError
from convscope.options import check_range, option


class Engine(StrEnum):
    """Implementations of the augmentation."""

    fast = "fast"
    keras = "keras"


@dataclass
class AugmentationConfig(Ranges):
    """Augmentation of the training pictures (0 to 255, before preprocessing), as in ImageDataGenerator."""

    engine: Engine = option(Engine.fast, "fast: OpenCV in threads; keras: ImageDataGenerator itself")
    delete_cell: float = option(
        0.0,
        "probability that one of 4x4 cells gets the mean colour, for views=[faithfulness] of stage 3",
    )
    featurewise_center: bool = option(
        False, "with engine=keras: subtract the mean of each channel over the training split"
    )
    featurewise_std_normalization: bool = option(
        False, "with engine=keras: divide each channel by its standard deviation over the training split"
    )
    samplewise_center: bool = option(False, "with engine=keras: subtract the mean of each picture")
    samplewise_std_normalization: bool = option(
        False, "with engine=keras: divide each picture by its standard deviation"
    )

    def __post_init__(self) -> None:
        """Check the ranges and the combinations."""
        super().__post_init__()
        check_range("augmentation.delete_cell", self.delete_cell, 0, 1)
        self._check_normalization()

    @property
    def featurewise(self) -> bool:
        """Whether the preprocessing needs statistics of the training images."""
        return self.featurewise_center or self.featurewise_std_normalization

    def _check_normalization(self) -> None:
        samplewise = self.samplewise_center or self.samplewise_std_normalization
        if (self.featurewise or samplewise) and self.engine is not Engine.keras:
            raise ConvscopeError(
                "augmentation.featurewise_… and samplewise_… need ImageDataGenerator: set "
                "augmentation.engine=keras, or remove them"
            )
        if self.featurewise and samplewise:
            raise ConvscopeError(
                "augmentation.featurewise_… and samplewise_… are both set: expected only one of them"
            )
