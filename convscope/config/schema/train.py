"""The schema of stage 2: models, augmentation, the loop."""

from dataclasses import dataclass, field
from enum import StrEnum

from omegaconf import MISSING

from convscope.config.schema.prepare import DatasetConfig
from convscope.data.augmentation_settings import Ranges
from convscope.errors import ConvscopeError
from convscope.models.settings import Head, OutputSettings
from convscope.options import check_range, option
from convscope.preprocessing import by_name, resolve_preprocessing
from convscope.training.settings import OptimizationSettings


class Logger(StrEnum):
    """Who else keeps the numbers of each epoch."""

    none = "none"
    tensorboard = "tensorboard"


class Callbacks(StrEnum):
    """What else happens during training."""

    snapshots = "snapshots"


class Split(StrEnum):
    """A part of a data set."""

    train = "train"
    validation = "validation"
    test = "test"


@dataclass
class ModelConfig(OutputSettings):
    """A network: the options that all kinds share."""

    input_size: int | None = option(None, "width and height of the input in pixels; null: the network's own")
    preprocessing: str | None = option(
        None, "none, unit_range, minus_one_to_one, caffe or torch; null: the network's own"
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
    """The book's convnet: convolution and pooling in turn."""

    widths: list[int] = option([32, 64, 128, 128], "filters of each convolution")
    units: int = option(512, "units of the dense layer before the last")
    batch_normalization: bool = option(False, "normalise before each ReLU")

    def __post_init__(self) -> None:
        """Check that a feature map is left after the last pooling."""
        super().__post_init__()
        check_range("model.units", self.units, 1)
        for width in self.widths:
            check_range("model.widths", width, 1)
        if self.input_size is None:
            raise ConvscopeError(
                "model.input_size=null: expected a size, as this network has none of its own"
            )
        side = self.input_size
        for _ in self.widths:
            side = (side - 2) // 2
        if side < 1 or not self.widths:
            raise ConvscopeError(
                f"model.widths={self.widths} does not fit model.input_size={self.input_size}: "
                "expected one convolution or more, and a larger input or fewer of them"
            )


@dataclass
class PretrainedConfig(Head, ModelConfig):
    """A pretrained trunk with a new head."""

    trainable: str = option("all", "all, head, or the first layer that trains, by name")


@dataclass
class KerasApplicationConfig(PretrainedConfig):
    """A classifier of keras.applications."""

    application: str = option(MISSING, "its name in keras.applications, such as ResNet50V2")
    weights: str | None = option("imagenet", "the trunk's weights: imagenet, null, or a file")


@dataclass
class PretrainedFileConfig(PretrainedConfig):
    """Any saved model as a trunk."""

    file: str = option(MISSING, "a .keras file")
    cut: str | None = option(None, "the layer the head is put on; null: the last feature maps")
    scale: list[float] = option([], "with preprocessing=affine: pixels * scale + offset, one number or three")
    offset: list[float] = option([], "see scale")

    def __post_init__(self) -> None:
        """Check that an affine preprocessing is whole."""
        super().__post_init__()
        if self.preprocessing is not None:
            resolve_preprocessing(self.preprocessing, self.scale, self.offset)


class Engine(StrEnum):
    """Who augments."""

    fast = "fast"
    keras = "keras"


@dataclass
class AugmentationConfig(Ranges):
    """Augmentation of the training pictures (0 to 255, before preprocessing), as in ImageDataGenerator."""

    engine: Engine = option(Engine.fast, "fast: OpenCV in threads; keras: ImageDataGenerator itself")
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
        self._check_normalisation()

    @property
    def featurewise(self) -> bool:
        """Whether statistics of the training images are wanted."""
        return self.featurewise_center or self.featurewise_std_normalization

    def _check_normalisation(self) -> None:
        samplewise = self.samplewise_center or self.samplewise_std_normalization
        if (self.featurewise or samplewise) and self.engine is not Engine.keras:
            raise ConvscopeError(
                "augmentation.featurewise_… and samplewise_… are ImageDataGenerator's: expected "
                "augmentation.engine=keras with them"
            )
        if self.featurewise and samplewise:
            raise ConvscopeError(
                "augmentation normalises both featurewise and samplewise: expected one of the two"
            )


@dataclass
class FinetuneConfig:
    """Whether a new head is trained first, before what is below it moves."""

    head_epochs: int = option(
        0, "epochs of the head alone, on features computed once, without augmentation; 0: none"
    )
    head_learning_rate: float = option(1e-3, "in them; the rest, but for mixup, is as in training")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("finetune.head_epochs", self.head_epochs, 0)
        check_range("finetune.head_learning_rate", self.head_learning_rate, 0)


class Precision(StrEnum):
    """What layers compute in."""

    auto = "auto"
    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"
    mixed_float16 = "mixed_float16"


@dataclass
class TrainingConfig(OptimizationSettings):
    """The training loop."""

    batch_size: int = option(32, "images per step")
    class_weights: bool = option(False, "weight the loss so that all classes count the same")
    mixup: float = option(0.0, "alpha of mixup's Beta distribution (Zhang et al., 2018); 0: no mixup")
    precision: Precision = option(
        Precision.auto, "auto measures the precisions that the hardware supports and chooses the fastest"
    )
    deterministic: bool = option(False, "bitwise reproducible weights on the same machine; slower")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("training.batch_size", self.batch_size, 1)
        check_range("training.mixup", self.mixup, 0)


@dataclass
class SnapshotsConfig:
    """What callbacks=[snapshots] keeps."""

    every: int = option(1, "epochs from one snapshot to the next; epoch 0 and the last are always kept")

    def __post_init__(self) -> None:
        """Check the range."""
        check_range("snapshots.every", self.every, 1)


@dataclass
class TrainConfig:
    """Stage 2."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    callbacks: list[Callbacks] = option(
        [], "snapshots: also keep the weights of each epoch, for views=[evolution] of visualize.py"
    )
    snapshots: SnapshotsConfig = field(default_factory=SnapshotsConfig)
    seed: int = option(0, "of weights, order, augmentation and dropout")
    logger: Logger = option(Logger.none, "tensorboard: also write events into tensorboard/ of the run")
    evaluate: str | None = option(None, "instead of training: score this run on dataset")
    splits: list[Split] = option([Split.validation, Split.test], "of dataset, for evaluate=RUN")
    predict: str | None = option(None, "instead of training: let this run say what images are")
    images: list[str] = option([], "photographs, folders, globs, @LIST.txt for predict=RUN")
    resume: bool = option(False, "go on with the last run of these settings that was stopped")
    overwrite: bool = option(False, "train again into a run directory that holds a model")
    debug: bool = option(False, "show a traceback with an error")

    def __post_init__(self) -> None:
        """Check the ranges, and that something is trained."""
        check_range("seed", self.seed, 0, 2**32 - 1)
        if not self.splits:
            raise ConvscopeError(f"splits=[] scores nothing: expected some of {', '.join(Split)}")
        if not self.training.epochs and not self.finetune.head_epochs:
            raise ConvscopeError(
                "training.epochs=0 trains nothing: expected 1 or more, or finetune=two_phase with it"
            )
        if Callbacks.snapshots in self.callbacks and not self.training.epochs:
            raise ConvscopeError(
                "callbacks=[snapshots] keeps epochs of the main phase, and training.epochs=0 leaves it out: "
                "expected training.epochs=1 or more"
            )
        if self.finetune.head_epochs and isinstance(self.model, SmallConvnetConfig):
            raise ConvscopeError(
                "finetune=two_phase needs features that are trained already: expected another model than "
                "small_convnet"
            )
