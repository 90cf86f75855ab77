"""Scores with test-time augmentation, beside those of one prediction for each photograph."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from convscope.data.pipeline import Batches
from convscope.models.calibration import Calibration
from convscope.training.evaluate import Evaluation, evaluate_variants
from convscope.training.test_time import VariantModel
from convscope.training.variants import Variants


@dataclass(frozen=True)
class AugmentedScores:
    """The averaged predictions for each split.

    Attributes:
        variants: the variants of each photograph.
        scored: the predictions by split.
        seconds: the duration for the last split.
        calibration: that of the averages; None if it is unknown.
    """

    variants: Variants
    scored: Mapping[str, Evaluation]
    seconds: float
    calibration: Calibration | None

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
        }
        if self.calibration:
            after = Evaluation(self.calibration.apply(scores.probabilities), scores.labels)
            result["calibrated"] = {
                "temperature": self.calibration.temperature,
                "loss": after.loss,
                "calibration_error": after.calibration_error,
            }
        return result

    def line(self, split: str, results: Mapping[str, Any], single_seconds: float) -> str:
        """Return the line that is printed about a split, the last one; `results` are its summary."""
        calibrated = results.get("calibrated")
        low, high = results["accuracy_95"]
        after = f" ({calibrated['loss']:.4f} with its calibration)" if calibrated else ""
        return (
            f"tta=[{','.join(self.variants.names)}], {self.variants.count} predictions for each photograph, "
            f"{self.seconds / single_seconds:.1f} times as long: {split}: loss {results['loss']:.4f}{after}, "
            f"accuracy {results['accuracy']:.3f} (95 %: {low:.3f} to {high:.3f}); it corrects "
            f"{results['corrected']} predictions and spoils {results['spoiled']}"
        )


def augmented_scores(
    model: keras.Model, batches: Mapping[str, Batches], variants: Variants, known: Calibration | None
) -> AugmentedScores:
    """Predict every photograph of each split in all variants.

    `known` is the calibration of these variants; if it is None, it is fitted on the validation split, if that
    is one of the splits.
    """
    averaged = VariantModel(model, variants)
    scored = {}
    seconds = 0.0
    for split, data in batches.items():
        started = time.perf_counter()
        scored[split] = evaluate_variants(averaged, [data.resized(size) for size in averaged.sizes])
        seconds = time.perf_counter() - started
    if known is None and "validation" in scored:
        validation = scored["validation"]
        known = Calibration.fit(validation.probabilities, validation.labels, variants.names)
    return AugmentedScores(variants, scored, seconds, known)
