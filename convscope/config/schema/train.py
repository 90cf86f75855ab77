"""The configuration of stage 2: training in one phase or two, sweeps, and what a run reports."""

from dataclasses import dataclass, field
from enum import StrEnum

from convscope.config.schema.augmentation import AugmentationConfig
from convscope.config.schema.model import ModelConfig, SmallConvnetConfig
from convscope.config.schema.prepare import DatasetConfig
from convscope.errors import ConvscopeError
from convscope.models.calibration import COVERAGE
from convscope.names import file_name
from convscope.options import check_range, option
from convscope.training.optimization_settings import OptimizationSettings
from convscope.training.variants import Variants

TTA = "tta"  # the option, as error messages name it


class Logger(StrEnum):
    """Additional loggers for the metrics of each epoch."""

    none = "none"
    tensorboard = "tensorboard"


class Callbacks(StrEnum):
    """Optional callbacks."""

    snapshots = "snapshots"


class Split(StrEnum):
    """Splits of a data set."""

    train = "train"
    validation = "validation"
    test = "test"


DEFAULT_SPLITS = (Split.validation, Split.test)  # of evaluate=RUN


@dataclass
class FinetuneConfig:
    """The first phase of fine-tuning, which trains only the new head."""

    head_epochs: int = option(
        0, "epochs of the first phase, on precomputed features without augmentation; 0: no first phase"
    )
    head_learning_rate: float = option(
        1e-3, "learning rate of the first phase; the other settings are those of training, without mixup"
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("finetune.head_epochs", self.head_epochs, 0)
        check_range("finetune.head_learning_rate", self.head_learning_rate, 0)


class Precision(StrEnum):
    """Numeric precisions of the layers."""

    auto = "auto"
    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"
    mixed_float16 = "mixed_float16"


class Distribution(StrEnum):
    """How the devices of a machine, or several machines, share the training of one model."""

    none = "none"
    mirrored = "mirrored"
    multi_worker = "multi_worker"


class Cache(StrEnum):
    """Where decoded photographs are kept between epochs."""

    auto = "auto"
    none = "none"


@dataclass
class TrainingConfig(OptimizationSettings):
    """The training loop."""

    batch_size: int = option(32, "images per step", heading="Training")
    input_sizes: list[int] = option(
        [],
        "train at these sizes in pixels, one after the other, each for an equal share of the epochs; "
        "[]: model.input_size",
    )
    fraction: float = option(
        1.0, "share of the training images of each class; smaller shares are parts of larger ones"
    )
    class_weights: bool = option(False, "weight the loss so that all classes count equally")
    mixup: float = option(0.0, "alpha of mixup's Beta distribution (Zhang et al., 2018); 0: no mixup")
    precision: Precision = option(
        Precision.auto, "auto measures the precisions that the hardware supports and chooses the fastest"
    )
    cache: Cache = option(
        Cache.auto, "auto: keep decoded photographs in memory if they fit into a quarter of the free memory"
    )
    deterministic: bool = option(False, "bitwise reproducible weights on the same machine; slower")
    distribution: Distribution = option(
        Distribution.none, "mirrored: divide each batch among all GPUs of this machine"
    )

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_range("training.batch_size", self.batch_size, 1)
        for size in self.input_sizes:
            check_range("training.input_sizes", size, 16, 2048)
        if len(self.input_sizes) > self.epochs:
            raise ConvscopeError(
                f"training.input_sizes={self.input_sizes} has {len(self.input_sizes)} sizes for "
                f"training.epochs={self.epochs}: expected at most one size per epoch"
            )
        check_range("training.mixup", self.mixup, 0)
        check_range("training.fraction", self.fraction, 0, 1)
        if not self.fraction:
            raise ConvscopeError("training.fraction=0 trains on nothing: expected more than 0, up to 1")
        if self.distribution is Distribution.multi_worker:
            raise ConvscopeError(
                "training.distribution=multi_worker: MultiWorkerMirroredStrategy fails in fit of Keras 3.15 "
                "('PerReplica cannot be converted to a tensor'); set training.distribution=mirrored for the "
                "GPUs of one machine, or train one model on each machine with launcher=ray_cluster"
            )


@dataclass
class SnapshotsConfig:
    """The options of callbacks=[snapshots]."""

    every: int = option(1, "epochs between two snapshots; epoch 0 and the last epoch are always saved")

    def __post_init__(self) -> None:
        """Check the range."""
        check_range("snapshots.every", self.every, 1)


@dataclass
class SweepConfig:
    """The options of `python train.py -m …`; they do not change its runs."""

    name: str | None = option(
        None, "directory of the sweep in outputs/sweeps; null: date, model and data set"
    )
    resume: bool = option(False, "resume the last sweep with these arguments, or the one with this name")
    retry_failed: bool = option(False, "with sweep.resume=true: repeat the failed runs")

    def __post_init__(self) -> None:
        """Check the name, and that there is something to retry."""
        if self.name is not None and (file_name(self.name) != self.name or self.name == ".."):
            raise ConvscopeError(
                f"sweep.name={self.name} cannot be the name of a directory: expected for example "
                f"{file_name(self.name)}"
            )
        if self.retry_failed and not self.resume:
            raise ConvscopeError("sweep.retry_failed=true needs sweep.resume=true: add it")


@dataclass
class TrainConfig:
    """The configuration of stage 2."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    callbacks: list[Callbacks] = option(
        [],
        "snapshots: also save the weights of each epoch, for views=[evolution] of stage 3",
        heading="Training",
    )
    snapshots: SnapshotsConfig = field(default_factory=SnapshotsConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    seed: int = option(0, "seed of initial weights, order, augmentation and dropout", heading="Training")
    logger: Logger = option(
        Logger.none, "tensorboard: also write events to tensorboard/ in the run directory"
    )
    evaluate: list[str] = option(
        [], "instead of training: evaluate this run on dataset", heading="Use a trained model"
    )
    soup: bool = option(
        False, "with evaluate=[RUN,RUN,…]: average the weights of these runs, and write the result as a run"
    )
    splits: list[Split] = option(list(DEFAULT_SPLITS), "splits of dataset to evaluate with evaluate=RUN")
    predict: str | None = option(
        None,
        "instead of training: predict the classes of images with this run",
        heading="Use a trained model",
    )
    images: list[str] = option(
        [],
        "photographs for predict=RUN: files, folders, globs or @LIST.txt",
        heading="Use a trained model",
    )
    coverage: float = option(
        COVERAGE,
        "with predict=RUN: a set of classes for each photograph that contains the right one with this "
        "probability",
    )
    tta: list[str] = option(
        [],
        "test-time augmentation: average the predictions over variants of each photograph: flip for its "
        "mirror image, and factors of its size, for example 1.29",
    )
    resume: bool = option(False, "resume the last interrupted run with these settings", heading="Run")
    overwrite: bool = option(False, "replace the model in the run directory", heading="Run")
    debug: bool = option(False, "show a traceback with an error")

    def __post_init__(self) -> None:
        """Check the ranges, and that there is something to train."""
        check_range("seed", self.seed, 0, 2**32 - 1)
        check_range("coverage", self.coverage, 0, 1, below=True)
        Variants.parse(self.tta, TTA)
        if not self.splits:
            raise ConvscopeError(f"splits=[] is empty: expected some of {', '.join(Split)}")
        self._check_purpose()
        if not self.training.epochs and not self.finetune.head_epochs:
            raise ConvscopeError(
                "training.epochs=0 trains no epoch: expected training.epochs=1 or more, or finetune=two_phase"
            )
        if Callbacks.snapshots in self.callbacks and not self.training.epochs:
            raise ConvscopeError(
                "callbacks=[snapshots] saves epochs of the main phase, but training.epochs=0: set "
                "training.epochs=1 or more"
            )
        if self.finetune.head_epochs and isinstance(self.model, SmallConvnetConfig):
            raise ConvscopeError(
                "finetune=two_phase needs a pretrained model, but model=small_convnet is set: choose another "
                "model, or finetune=one_phase"
            )

    def _check_purpose(self) -> None:
        """Check that the settings belong to one of training, evaluation and prediction."""
        if self.predict == "":
            raise ConvscopeError("predict= is empty: expected the directory of a run, or a model file")
        if self.coverage != COVERAGE and self.predict is None:
            raise ConvscopeError(
                f"coverage={self.coverage:g} is for predict=RUN, and reports have the sets for {COVERAGE}: "
                "set predict=RUN, or remove coverage"
            )
        if self.splits != list(DEFAULT_SPLITS) and len(self.evaluate) != 1:
            raise ConvscopeError(
                f"splits=[{','.join(self.splits)}] is for evaluate=RUN with one run: set evaluate=RUN, or "
                "remove splits"
            )
        if self.predict is not None and self.evaluate:
            raise ConvscopeError(
                f"predict={self.predict} and evaluate={','.join(self.evaluate)} are both set: "
                "expected one of them"
            )
        if self.soup != (len(self.evaluate) > 1):
            raise ConvscopeError(
                f"evaluate=[{','.join(self.evaluate)}] has {len(self.evaluate)} run(s), and soup="
                f"{str(self.soup).lower()}: expected one run, or several runs and soup=true, which averages "
                "their weights"
            )
        if self.predict is not None and not self.images:
            raise ConvscopeError(
                "predict=RUN needs photographs: add images=DIR (or a file, a glob, @LIST.txt)"
            )
        if self.images and self.predict is None:
            raise ConvscopeError(
                f"images=[{','.join(self.images)}] is for predict=RUN: set predict=RUN, or remove images"
            )
