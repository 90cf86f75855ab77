"""Settings of the optimization."""

from dataclasses import dataclass

from convscope.errors import ConvscopeError, unknown
from convscope.options import check_range, option

OPTIMIZERS = ("Adam", "AdamW", "SGD", "RMSprop", "Nadam", "Adagrad", "Adamax", "Lion", "Adafactor")
MOMENTUM = ("SGD", "RMSprop")  # the optimizers that have it
SCHEDULES = ("CosineDecay", "PolynomialDecay", "ExponentialDecay")


@dataclass
class OptimizationSettings:
    """Settings of the optimizer, the learning rate and the end of the training.

    A schedule lowers the learning rate from `learning_rate` to zero over the whole run (ExponentialDecay: to
    a hundredth; CosineDecay: to `alpha` times the rate). CosineDecay can start with a linear warmup from
    zero. Moving average: B. Polyak and A. Juditsky, Acceleration of Stochastic Approximation by Averaging
    (1992). Label smoothing: C. Szegedy et al.,
    Rethinking the Inception Architecture (2016).
    """

    epochs: int = option(
        10, "passes over the training images; 0 needs finetune=two_phase", heading="Training"
    )
    optimizer: str = option("Adam", "an optimizer of Keras: Adam, AdamW, SGD, RMSprop, …", heading="Training")
    learning_rate: float = option(1e-3, "the highest learning rate of the run", heading="Training")
    weight_decay: float | None = option(
        None, "decoupled weight decay, as in AdamW; null: the optimizer's default"
    )
    momentum: float = option(0.0, "momentum of SGD or RMSprop")
    schedule: str | None = option(None, "CosineDecay, PolynomialDecay or ExponentialDecay; null: constant")
    warmup_epochs: float = option(0.0, "epochs of linear warmup before CosineDecay")
    alpha: float = option(0.0, "the learning rate at the end of CosineDecay, as a share of the highest one")
    ema: float | None = option(
        None,
        "momentum of a moving average of the weights, for example 0.998; the model that is saved has the "
        "weights of an epoch or their average, whichever is better; null: no average",
    )
    clipnorm: float | None = option(None, "maximum norm of the gradient of each variable; null: no clipping")
    label_smoothing: float = option(0.0, "share of each label that is spread over all classes")
    patience: int = option(
        0, "stop after this many epochs without a lower validation loss; 0: never", heading="Training"
    )
    plateau: int = option(
        0, "divide the learning rate by 5 after this many epochs without a lower validation loss; 0: never"
    )

    def __post_init__(self) -> None:
        """Check the names and the ranges."""
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        if self.schedule is not None and self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)
        check_range("training.epochs", self.epochs, 0)
        check_range("training.label_smoothing", self.label_smoothing, 0, 1, below=True)
        check_range("training.momentum", self.momentum, 0, 1)
        for name in ("learning_rate", "warmup_epochs", "patience", "plateau"):
            check_range(f"training.{name}", getattr(self, name), 0)
        for name in ("weight_decay", "clipnorm"):
            if getattr(self, name) is not None:
                check_range(f"training.{name}", getattr(self, name), 0)
        check_range("training.alpha", self.alpha, 0, 1)
        if self.ema is not None:
            check_range("training.ema", self.ema, 0, 1, below=True)
        if self.alpha and self.schedule != "CosineDecay":
            raise ConvscopeError(
                f"training.alpha={self.alpha} needs training.schedule=CosineDecay: set it, or remove alpha"
            )
        if self.warmup_epochs and self.schedule != "CosineDecay":
            raise ConvscopeError(
                f"training.warmup_epochs={self.warmup_epochs} needs training.schedule=CosineDecay: set it, "
                "or training.warmup_epochs=0"
            )
        if self.momentum and self.optimizer not in MOMENTUM:
            raise ConvscopeError(
                f"training.momentum={self.momentum} is for {' and '.join(MOMENTUM)}, not for "
                f"training.optimizer={self.optimizer}: remove it, or choose another optimizer"
            )
        if self.plateau and self.schedule:
            raise ConvscopeError(
                "training.plateau and training.schedule both change the learning rate: set only one of them"
            )
