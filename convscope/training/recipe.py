"""The recipe: how a model is optimised, apart from its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from convscope.errors import unknown
from convscope.training.settings import OptimizationSettings

OPTIMIZERS = ("Adam", "AdamW", "SGD", "RMSprop", "Nadam", "Adagrad", "Adamax", "Lion", "Adafactor")
SCHEDULES = ("CosineDecay", "PolynomialDecay", "ExponentialDecay")


@dataclass
class Recipe(OptimizationSettings):
    """The settings of the optimization, and `class_weights`: factors of the loss by class index."""

    class_weights: Mapping[int, float] | None = None

    def compile(self, model: keras.Model, steps: int) -> None:
        """Compile the model for `steps` batches an epoch; raises ConvscopeError for names there are not."""
        smoothing = {"label_smoothing": self.label_smoothing}
        model.compile(
            optimizer=self._optimizer(steps),
            loss=keras.losses.BinaryCrossentropy(**smoothing)
            if model.output_shape[-1] == 1
            else keras.losses.CategoricalCrossentropy(**smoothing),
            metrics=["accuracy"],
            jit_compile=False,  # XLA is several times slower on CPUs
        )

    def _optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        options: dict[str, Any] = {"learning_rate": self._learning_rate(steps), "clipnorm": self.clipnorm}
        if self.weight_decay is not None:
            options["weight_decay"] = self.weight_decay
        if self.momentum:
            options["momentum"] = self.momentum
        return getattr(keras.optimizers, self.optimizer)(**options)

    def _learning_rate(self, steps: int) -> Any:
        schedules, total = keras.optimizers.schedules, max(1, self.epochs * steps)
        if self.schedule is None:
            return self.learning_rate
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)
        if self.schedule == "ExponentialDecay":
            return schedules.ExponentialDecay(self.learning_rate, total, decay_rate=0.01)
        if self.schedule == "PolynomialDecay":
            return schedules.PolynomialDecay(self.learning_rate, total, end_learning_rate=0.0)
        warmup = round(self.warmup_epochs * steps)
        if not warmup:
            return schedules.CosineDecay(self.learning_rate, total)
        return schedules.CosineDecay(
            0.0, max(1, total - warmup), warmup_target=self.learning_rate, warmup_steps=warmup
        )
