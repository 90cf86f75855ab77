"""The schema of stage 2: models, augmentation, the loop."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from convscope.config.schema.prepare import DatasetConfig
from convscope.errors import ConvscopeError
from convscope.options import check_range, option
from convscope.preprocessing import by_name, chosen


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


class FillMode(StrEnum):
    """What augmentation fills the places with that lie outside the picture."""

    nearest = "nearest"
    reflect = "reflect"
    wrap = "wrap"
    constant = "constant"


class Output(StrEnum):
    """The last layer."""

    softmax = "softmax"
    sigmoid = "sigmoid"


class Pooling(StrEnum):
    """How a head begins."""

    avg = "avg"
    max = "max"
    flatten = "flatten"


@dataclass
class ModelConfig:
    """A network: what every kind has."""

    input_size: int | None = option(None, "width and height of the input in pixels; null: the network's own")
    preprocessing: str | None = option(
        None, "none, unit_range, minus_one_to_one, caffe or torch; null: the network's own"
    )
    dropout: float = option(MISSING, "fraction of the head's inputs that training drops")
    output: Output = option(Output.softmax, "softmax, or sigmoid: one unit for two classes")

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.input_size is not None:
            check_range("model.input_size", self.input_size, 16, 2048)
        if self.dropout != MISSING:
            check_range("model.dropout", self.dropout, 0, 1, below=True)
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
class PretrainedConfig(ModelConfig):
    """A trunk that is trained already, with a new head."""

    pooling: Pooling = option(Pooling.avg, "how the head begins")
    units: int = option(256, "units of the dense layer before the last; 0 leaves it out")
    activation: str = option("relu", "of that layer, by Keras' names")
    trainable: str = option("all", "all, head, or the first layer that trains, by name")

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("model.units", self.units, 0)


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
            chosen(self.preprocessing, self.scale, self.offset)


class Engine(StrEnum):
    """Who augments."""

    fast = "fast"
    keras = "keras"


@dataclass
class AugmentationConfig:
    """What is done to training pictures, 0 to 255, before preprocessing: ImageDataGenerator's parameters."""

    engine: Engine = option(Engine.fast, "fast is OpenCV in threads, keras is ImageDataGenerator itself")
    rotation_range: float = option(0.0, "degrees, to either side")
    width_shift_range: float = option(0.0, "fraction of the side, or from 1 pixels, to either side")
    height_shift_range: float = option(0.0, "fraction of the side, or from 1 pixels, to either side")
    shear_range: float = option(0.0, "degrees")
    zoom_range: Any = option(0.0, "fraction, in and out, or [lowest, highest] factor")
    brightness_range: list[float] = option([], "[lowest, highest] factor; [] leaves it alone")
    channel_shift_range: float = option(0.0, "grey levels, to either side")
    horizontal_flip: bool = option(False, "mirror every other picture")
    vertical_flip: bool = option(False, "turn every other picture upside down")
    fill_mode: FillMode = option(FillMode.nearest, "what lies outside the picture")
    cval: float = option(0.0, "the grey level outside with fill_mode=constant")
    featurewise_center: bool = option(False, "with engine=keras: take each channel's mean over train away")
    featurewise_std_normalization: bool = option(False, "and divide by its deviation; likewise")
    samplewise_center: bool = option(False, "take each picture's own mean away; likewise")
    samplewise_std_normalization: bool = option(False, "and divide by its own deviation; likewise")

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("width_shift_range", "height_shift_range"):
            check_range(f"augmentation.{name}", getattr(self, name), 0)
        for name in ("rotation_range", "shear_range"):
            check_range(f"augmentation.{name}", getattr(self, name), 0, 180)
        for name in ("channel_shift_range", "cval"):
            check_range(f"augmentation.{name}", getattr(self, name), 0, 255)
        if isinstance(self.zoom_range, int | float) and not isinstance(self.zoom_range, bool):
            check_range("augmentation.zoom_range", self.zoom_range, 0, 1, below=True)
        elif not _is_range(self.zoom_range) or self.zoom_range[0] == 0:
            raise ConvscopeError(
                f"augmentation.zoom_range={self.zoom_range}: expected a fraction, or [lowest, highest]"
            )
        if self.brightness_range and not _is_range(self.brightness_range):
            raise ConvscopeError(
                f"augmentation.brightness_range={self.brightness_range}: expected [] or [lowest, highest]"
            )
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


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(each, int | float) for each in value)
        and 0 <= value[0] <= value[1]
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
class TrainingConfig:
    """The loop."""

    epochs: int = option(10, "passes over the training images; 0 only after finetune=two_phase")
    batch_size: int = option(32, "images a step")
    optimizer: str = option("Adam", "by Keras' name: Adam, AdamW, SGD, RMSprop, …")
    learning_rate: float = option(1e-3, "of the optimizer, at its highest")
    weight_decay: float | None = option(None, "a step, as AdamW has it; null: the optimizer's own")
    momentum: float = option(0.0, "of SGD and RMSprop")
    schedule: str | None = option(None, "CosineDecay, PolynomialDecay or ExponentialDecay; null: none")
    warmup_epochs: float = option(0.0, "of rising learning rate before CosineDecay")
    clipnorm: float | None = option(None, "the largest norm of a variable's gradient")
    label_smoothing: float = option(0.0, "share of each label that goes to all classes")
    class_weights: bool = option(False, "weigh the loss so that every class counts the same")
    mixup: float = option(0.0, "alpha of the Beta distribution that pictures are mixed by; 0 is not at all")
    patience: int = option(0, "end after so many epochs without a lower validation loss; 0: never")
    plateau: int = option(0, "a fifth of the learning rate after so many; 0: never")
    precision: Precision = option(Precision.auto, "auto tries what the hardware knows and takes the fastest")
    deterministic: bool = option(False, "the same weights, bit for bit, on one machine; slower")

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("training.epochs", self.epochs, 0)
        check_range("training.batch_size", self.batch_size, 1)
        check_range("training.label_smoothing", self.label_smoothing, 0, 1, below=True)
        for name in ("learning_rate", "momentum", "warmup_epochs", "mixup", "patience", "plateau"):
            check_range(f"training.{name}", getattr(self, name), 0)
        for name in ("weight_decay", "clipnorm"):
            if getattr(self, name) is not None:
                check_range(f"training.{name}", getattr(self, name), 0)
        if self.plateau and self.schedule:
            raise ConvscopeError(
                "training.plateau and training.schedule both set the learning rate: expected one"
            )


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
