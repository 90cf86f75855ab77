"""Fit the calibration of a trained model, and add it to the scores of the splits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from convscope.models.bundle import Contract
from convscope.models.calibration import COVERAGE, Calibration, coverage_of
from convscope.training.evaluate import Evaluation


def with_calibration(contract: Contract, validation: Evaluation) -> Contract:
    """Return the contract with a calibration that is fitted on the validation split."""
    return replace(contract, calibration=Calibration.fit(validation.probabilities, validation.labels))


def calibrated(scores: Evaluation, calibration: Calibration) -> Evaluation:
    """Return the same predictions with calibrated probabilities."""
    return Evaluation(calibration.apply(scores.probabilities), scores.labels)


def add_calibrated(
    results: Mapping[str, dict[str, Any]],
    scored: Mapping[str, Evaluation],
    calibration: Calibration,
    names: Sequence[str],
) -> None:
    """Add the scores of calibrated probabilities and of sets of classes to the results of each split."""
    for split, scores in scored.items():
        after = calibrated(scores, calibration)
        sets = calibration.sets(scores.probabilities, COVERAGE)
        results[split]["calibrated"] = {
            "temperature": calibration.temperature,
            "loss": after.loss,
            "calibration_error": after.calibration_error,
            "sets": coverage_of(sets, scores.labels, names),
        }


def calibration_line(split: str, results: Mapping[str, Any], *, fitted: bool) -> str:
    """Return the line that is printed about the calibration; `fitted`: on this split."""
    after = results["calibrated"]
    sets = after["sets"]
    caution = "; fitted on these images, so too optimistic" if fitted else ""
    return (
        f"calibration: temperature {after['temperature']:.2f}; {split}: loss {results['loss']:.4f} to "
        f"{after['loss']:.4f}, calibration error {results['calibration_error']:.3f} to "
        f"{after['calibration_error']:.3f}; sets for {COVERAGE:.0%} contain the class in "
        f"{sets['coverage']:.1%} and have {sets['mean_size']:.2f} classes{caution}"
    )
