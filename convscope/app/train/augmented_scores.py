"""Scores with test-time augmentation, beside those of one prediction for each photograph."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import keras

from convscope.config.schema.train import TTA, TrainConfig
from convscope.data.pipeline import Batches, labelled_images
from convscope.data.training_data import training_data
from convscope.graph import probabilities_of
from convscope.models.bundle import ModelBundle
from convscope.models.calibration import Calibration
from convscope.training.evaluate import Evaluation, evaluate_variants
from convscope.training.test_time import VariantModel
from convscope.training.variants import Variants

_BATCH = 32
_TIMED = 5  # batches, after one that builds the graphs


@dataclass(frozen=True)
class AugmentedScores:
    """The averaged predictions for each split.

    Attributes:
        variants: the variants of each photograph.
        scored: the predictions by split.
        time_factor: how many times as long an averaged prediction takes, with reading the photograph.
        calibration: that of the averages; None if it is unknown.
    """

    variants: Variants
    scored: Mapping[str, Evaluation]
    time_factor: float
    calibration: Calibration | None = None

    def fitted(self) -> "AugmentedScores":
        """Return the same predictions with a calibration that is fitted on the validation split."""
        validation = self.scored["validation"]
        calibration = Calibration.fit(validation.probabilities, validation.labels, self.variants.names)
        return replace(self, calibration=calibration)

    def summary(self, split: str, single: Evaluation) -> dict[str, Any]:
        """Return the scores of a split as `metrics.json` stores them; `single` are those without variants."""
        scores = self.scored[split]
        right, before = scores.predicted == scores.labels, single.predicted == single.labels
        result = {
            "variants": self.variants.names,
            "loss": scores.loss,
            "accuracy": scores.accuracy,
            "accuracy_95": list(scores.accuracy_interval),
            "calibration_error": scores.calibration_error,
            "corrected": int((right & ~before).sum()),
            "spoiled": int((before & ~right).sum()),
            "time_factor": round(self.time_factor, 1),
        }
        if self.calibration:
            after = Evaluation(self.calibration.apply(scores.probabilities), scores.labels)
            result["calibrated"] = {
                "temperature": self.calibration.temperature,
                "loss": after.loss,
                "calibration_error": after.calibration_error,
            }
        return result

    def line(self, split: str, results: Mapping[str, Any]) -> str:
        """Return the line that is printed about a split; `results` are its summary."""
        calibrated = results.get("calibrated")
        low, high = results["accuracy_95"]
        after = f" ({calibrated['loss']:.4f} with its calibration)" if calibrated else ""
        return (
            f"tta=[{','.join(self.variants.names)}], {self.variants.count} predictions for each photograph, "
            f"{self.time_factor:.1f} times as long: {split}: loss {results['loss']:.4f}{after}, "
            f"accuracy {results['accuracy']:.3f} (95 %: {low:.3f} to {high:.3f}); predictions "
            f"corrected: {results['corrected']}, spoiled: {results['spoiled']}"
        )


def variant_model(config: TrainConfig, model: keras.Model, size: tuple[int, int]) -> VariantModel:
    """Return a model that averages over the variants of the option `tta`.

    Raises:
        ConvscopeError: the network works at one size only, or a scale does not change the size.
    """
    return VariantModel(model, size, Variants.parse(config.tta, TTA))


def augmented_scores(
    model: keras.Model, averaged: VariantModel, batches: Mapping[str, Batches]
) -> AugmentedScores:
    """Predict every photograph of each split in all variants; `model` is for one prediction of each."""
    scored = {
        split: evaluate_variants(averaged, [data.resized(size) for size in averaged.sizes])
        for split, data in batches.items()
    }
    return AugmentedScores(averaged.variants, scored, slowdown(model, averaged, list(batches.values())[-1]))


def slowdown(model: keras.Model, averaged: VariantModel, data: Batches) -> float:
    """Return how many times as long averaged predictions take; both read the photographs from the disk."""
    sizes = [data.resized(size) for size in averaged.sizes]
    full = max(1, len(data.examples.paths) // data.batch_size)  # a smaller batch would build another graph

    def seconds(predict: Callable[[int], object]) -> float:
        predict(0)
        durations = []
        for number in range(_TIMED):
            started = time.perf_counter()
            predict(number % full)
            durations.append(time.perf_counter() - started)
        return median(durations)

    alone = seconds(lambda index: probabilities_of(model, sizes[0][index][0]))
    together = seconds(lambda index: averaged.probabilities([part[index][0] for part in sizes]))
    return together / alone


def known_calibration(bundle: ModelBundle, averaged: VariantModel) -> Calibration | None:
    """Return the calibration of a run for these variants; if it has none, fit it on its validation split.

    The result is None if the data set of the run is missing or has changed: its validation images may then be
    training images of the model.
    """
    contract, names = bundle.contract, averaged.variants.names
    known = contract.calibration_of(names)
    if known or contract.calibration is None:
        return known
    data = training_data(contract.dataset)
    if data.manifest is None or not data.is_unchanged or not data.manifest.of_split("validation"):
        return None
    print(f"calibrating tta=[{','.join(names)}] on the validation split of {data.root}")
    manifest = replace(data.manifest, classes=contract.class_names)
    images = labelled_images(data.root, manifest, "validation")
    scores = evaluate_variants(
        averaged,
        [
            Batches(images, size=size, preprocessing=contract.preprocessing, batch_size=_BATCH)
            for size in averaged.sizes
        ],
    )
    return Calibration.fit(scores.probabilities, scores.labels, names)
