"""Probabilities that can be trusted: temperature scaling, and sets of classes with a chosen coverage.

Both are fitted on the validation split. They assume that later photographs come from the same distribution:
no probability is right for photographs of another kind.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.probabilities import logarithms, softmax

COVERAGE = 0.95  # of the sets in reports
_COLDEST, _HOTTEST = 0.1, 10.0  # temperatures
_MOST = 2000  # validation images that are stored
_KEYS = {"temperature", "true_class", "variants"}


@dataclass(frozen=True)
class Calibration:
    """What the validation split says about the probabilities of a model.

    Attributes:
        temperature: the number that divides the logits; above 1, the model is too sure of itself.
        true_class: the calibrated probabilities of the true classes of validation images, ascending.
        variants: the variants of each photograph whose predictions are averaged; see the option `tta`.
    """

    temperature: float
    true_class: tuple[float, ...]
    variants: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls, probabilities: np.ndarray, labels: np.ndarray, variants: Sequence[str] = ()
    ) -> "Calibration":
        """Return the temperature with the lowest cross-entropy on validation.

        The target of the true class is (n + 1) / (n + 2), and the other classes share the rest. With a target
        of 1, few wrong predictions would not determine the temperature, and without one it would be 0.

        C. Guo, G. Pleiss, Y. Sun and K. Weinberger, On Calibration of Modern Neural Networks (2017). The
        targets are those of J. Platt, Probabilistic Outputs for Support Vector Machines (1999).

        Args:
            probabilities: float (n, classes), those of the model.
            labels: int (n,), the true classes.
            variants: see the attribute.
        """
        from scipy.optimize import minimize_scalar  # slow to import
        from scipy.special import log_softmax

        rows, (count, classes) = np.arange(len(labels)), probabilities.shape
        targets = np.full((count, classes), 1 / (count + 2) / (classes - 1))
        targets[rows, labels] = (count + 1) / (count + 2)
        logits = logarithms(probabilities)

        def loss(logarithm: float) -> float:
            return -(targets * log_softmax(logits / math.exp(logarithm), axis=1)).sum(1).mean()

        limits = math.log(_COLDEST), math.log(_HOTTEST)
        temperature = math.exp(minimize_scalar(loss, bounds=limits, method="bounded").x)
        of_true_class = scaled(probabilities, temperature)[rows, labels]
        if len(of_true_class) > _MOST:
            of_true_class = np.random.default_rng(0).choice(of_true_class, _MOST, replace=False)
        return cls(temperature, tuple(sorted(map(float, of_true_class))), tuple(variants))

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> "Calibration | None":
        """Return the calibration in a `model.json`, or None.

        Raises:
            ValueError: it is malformed.
        """
        if content is None:
            return None
        if not isinstance(content, dict) or {*content, "variants"} != _KEYS:
            raise ValueError(f"calibration does not have exactly {', '.join(sorted(_KEYS))}")
        temperature, values = float(content["temperature"]), [float(v) for v in content["true_class"]]
        variants = content.get("variants", [])
        if (
            not isinstance(variants, list)
            or not 0 < temperature < math.inf
            or not values
            or not all(0 <= value <= 1 for value in values)
        ):
            raise ValueError("calibration has values outside their range")
        return cls(temperature, tuple(sorted(values)), tuple(map(str, variants)))

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `model.json`."""
        variants = {"variants": list(self.variants)} if self.variants else {}
        return {"temperature": self.temperature, "true_class": list(self.true_class), **variants}

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, float64 (n, classes); the most probable class stays the same."""
        return scaled(probabilities, self.temperature)

    def sets(self, probabilities: np.ndarray, coverage: float) -> np.ndarray:
        """Return which classes are in the set of each example, bool (n, classes).

        A set has the classes that are as probable as the true class of the validation images mostly is, and
        always the most probable one. It contains the true class with a probability of at least `coverage`,
        over all examples, not for each class. This holds exactly for validation images that nothing else was
        chosen on; here, they also chose the epoch and the temperature.

        M. Sadinle, J. Lei and L. Wasserman, Least Ambiguous Set-Valued Classifiers with Bounded Error Levels
        (2019); split conformal prediction after V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in
        a Random World (2005).

        Args:
            probabilities: float (n, classes), those of the model, not calibrated.
            coverage: 0 to 1.
        """
        calibrated = self.apply(probabilities)
        count = len(self.true_class)
        rank = min(count, math.floor((count + 1) * (1 - coverage) + 1e-9))  # of the least probability
        least = self.true_class[rank - 1] if rank else 0.0
        sets = calibrated >= least
        sets[np.arange(len(sets)), calibrated.argmax(1)] = True
        return sets


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the softmax of the logits divided by a temperature, float64 (n, classes)."""
    return softmax(logarithms(probabilities) / temperature)


def coverage_of(sets: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Return how often sets contain the true class, overall and by class, and how large they are.

    Args:
        sets: bool (n, classes), of `Calibration.sets`.
        labels: int (n,), the true classes.
        classes: the names of the classes; one without examples has the value None.
    """
    contained = sets[np.arange(len(labels)), labels]
    of_class = {
        name: float(contained[labels == index].mean()) if (labels == index).any() else None
        for index, name in enumerate(classes)
    }
    return {
        "coverage": float(contained.mean()),
        "mean_size": float(sets.sum(1).mean()),
        "single": float((sets.sum(1) == 1).mean()),
        "classes": of_class,
    }
