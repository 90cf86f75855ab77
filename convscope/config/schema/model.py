"""The settings of the networks that stage 2 trains."""

from dataclasses import dataclass

from omegaconf import MISSING

from convscope.errors import ConvscopeError
from convscope.models.application_names import check_application
from convscope.models.head_settings import MAX_UNITS, Head, OutputSettings
from convscope.options import check_range, option
from convscope.preprocessing import by_name, resolve_preprocessing


@dataclass
class ModelConfig(OutputSettings):
    """The options that all networks share."""

    input_size: int | None = option(
        None, "width and height of the input in pixels; null: the default of the network", heading="Model"
    )
    preprocessing: str | None = option(
        None, "none, unit_range, minus_one_to_one, caffe or torch; null: the default of the network"
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        if self.input_size is not None:
            check_range("model.input_size", self.input_size, 16, 2048)
        if self.preprocessing not in (None, "affine"):
            by_name(self.preprocessing)


@dataclass
class SmallConvnetConfig(ModelConfig):
    """The small convnet of the book: pairs of convolution and pooling."""

    widths: list[int] = option([32, 64, 128, 128], "number of filters of each convolution")
    units: int = option(512, "units of the dense layer before the output layer")
    batch_normalization: bool = option(False, "batch normalization before each ReLU")

    def __post_init__(self) -> None:
        """Check the ranges, and that the last feature map is not empty."""
        super().__post_init__()
        check_range("model.units", self.units, 1, MAX_UNITS)
        for width in self.widths:
            check_range("model.widths", width, 1, MAX_UNITS)
        if self.input_size is None:
            raise ConvscopeError(
                "model.input_size=null: this network has no default size; expected a size in pixels"
            )
        side = self.input_size
        for _ in self.widths:
            side = (side - 2) // 2
        if side < 1 or not self.widths:
            raise ConvscopeError(
                f"model.widths={self.widths} does not fit model.input_size={self.input_size}: expected at "
                "least one convolution, and fewer convolutions or a larger input size"
            )


@dataclass
class PretrainedConfig(Head, ModelConfig):
    """A pretrained trunk with a new head."""

    trainable: str = option("all", "all, head, or the name of the first trainable layer", heading="Model")


@dataclass
class KerasApplicationConfig(PretrainedConfig):
    """A classifier of keras.applications."""

    application: str = option(MISSING, "name in keras.applications, for example ResNet50V2", heading="Model")
    weights: str | None = option(
        "imagenet", "weights of the trunk: imagenet, null (random), or a file", heading="Model"
    )

    def __post_init__(self) -> None:
        """Check the name of the application."""
        super().__post_init__()
        check_application(self.application)


@dataclass
class PretrainedFileConfig(PretrainedConfig):
    """The trunk of a saved model."""

    file: str = option(MISSING, "a .keras or .h5 file", heading="Model")
    cut: str | None = option(
        None, "name of the layer that the head is added to; null: the last layer with feature maps"
    )
    scale: list[float] = option(
        [], "with preprocessing=affine: pixels * scale + offset, one number or one per channel"
    )
    offset: list[float] = option([], "with preprocessing=affine: see scale")

    def __post_init__(self) -> None:
        """Check that an affine preprocessing is complete."""
        super().__post_init__()
        if self.preprocessing is not None:
            resolve_preprocessing(self.preprocessing, self.scale, self.offset)
