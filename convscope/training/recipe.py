"""The recipe: the settings of the optimization, and the compilation of a model with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from convscope.training.optimization_settings import OptimizationSettings

CROSS_ENTROPY = "cross_entropy"  # the metric that is the loss without label smoothing


@dataclass
class Recipe(OptimizationSettings):
    """The settings of the optimization, and `class_weights`: factors of the loss by class index."""

    class_weights: Mapping[int, float] | None = None

    def compile(self, model: keras.Model, steps: int) -> None:
        """Compile the model for `steps` batches per epoch.

        The optimizer scales the loss if a layer computes in float16, because small gradients would underflow.
        On GPUs, Keras compiles the step with XLA; on CPUs it does not, because XLA is several times slower.
        With label smoothing, the metric `CROSS_ENTROPY` is added, which a search can compare.
        """
        binary = model.output_shape[-1] == 1
        loss = keras.losses.BinaryCrossentropy if binary else keras.losses.CategoricalCrossentropy
        metrics: list[Any] = [
            keras.metrics.MeanMetricWrapper(_same_side, "accuracy") if binary else "accuracy"
        ]
        if self.label_smoothing:
            plain = keras.metrics.BinaryCrossentropy if binary else keras.metrics.CategoricalCrossentropy
            metrics.append(plain(name=CROSS_ENTROPY))
        optimizer = self._optimizer(steps)
        if any(layer.compute_dtype == "float16" for layer in model.layers):
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        model.compile(
            optimizer=optimizer,
            loss=loss(label_smoothing=self.label_smoothing),
            metrics=metrics,
        )

    def _optimizer(self, steps: int) -> keras.optimizers.Optimizer:
        options: dict[str, Any] = {"learning_rate": self._learning_rate(steps), "clipnorm": self.clipnorm}
        if self.ema:
            options |= {"use_ema": True, "ema_momentum": self.ema}
        if self.weight_decay is not None:
            options["weight_decay"] = self.weight_decay
        if self.momentum:
            options["momentum"] = self.momentum
        return getattr(keras.optimizers, self.optimizer)(**options)

    def _learning_rate(self, steps: int) -> Any:
        schedules, total = keras.optimizers.schedules, max(1, self.epochs * steps)
        if self.schedule is None:
            return self.learning_rate
        if self.schedule == "ExponentialDecay":
            return schedules.ExponentialDecay(self.learning_rate, total, decay_rate=0.01)
        if self.schedule == "PolynomialDecay":
            return schedules.PolynomialDecay(self.learning_rate, total, end_learning_rate=0.0)
        warmup = round(self.warmup_epochs * steps)
        if not warmup:
            return schedules.CosineDecay(self.learning_rate, total, alpha=self.alpha)
        return schedules.CosineDecay(
            0.0,
            max(1, total - warmup),
            alpha=self.alpha,
            warmup_target=self.learning_rate,
            warmup_steps=warmup,
        )


def _same_side(labels: Any, probabilities: Any) -> Any:
    """Return 1.0 where label and probability are on the same side of 0.5, else 0.0; mixup mixes labels."""
    return keras.ops.cast(keras.ops.equal(labels > 0.5, probabilities > 0.5), "float32")
