"""How good a model is: scores of its probabilities, from one pass over the data."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from sklearn import metrics

from convscope.graph import probabilities_of

BINS = 15  # of confidence, for calibration: C. Guo et al. (2017) use as many
RESAMPLINGS = 2000


@dataclass(frozen=True)
class Evaluation:
    """What one pass over a split gave: `probabilities` float (n, classes), `labels` int (n,)."""

    probabilities: np.ndarray
    labels: np.ndarray

    @cached_property
    def predicted(self) -> np.ndarray:
        """The most probable class of each, int (n,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def loss(self) -> float:
        """The mean cross-entropy in nats; probabilities are kept at 1e-7 from 0 and 1, as Keras does."""
        of_truth = self.probabilities[np.arange(len(self.labels)), self.labels]
        return float(-np.log(np.clip(of_truth, 1e-7, 1 - 1e-7)).mean())

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return float((self.predicted == self.labels).mean())

    @cached_property
    def accuracy_interval(self) -> tuple[float, float]:
        """The middle 95 % of the accuracies of 2,000 samples drawn from the examples with replacement.

        B. Efron, Bootstrap Methods (1979); always of the same random numbers.
        """
        right = (self.predicted == self.labels).sum()
        draws = np.random.default_rng(0).binomial(len(self.labels), right / len(self.labels), RESAMPLINGS)
        low, high = np.quantile(draws / len(self.labels), [0.025, 0.975])
        return float(low), float(high)

    @property
    def confusion(self) -> np.ndarray:
        """Counts, int (true, predicted)."""
        classes = range(self.probabilities.shape[1])
        return metrics.confusion_matrix(self.labels, self.predicted, labels=classes)

    def top(self, count: int) -> float:
        """The share whose true class is among the `count` most probable."""
        best = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :count]
        return float((best == self.labels[:, None]).any(axis=1).mean())

    def reliability(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean confidence, accuracy and count of the examples in each bin of confidence that has some."""
        confidence = self.probabilities.max(axis=1)
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        sure = np.bincount(bins, confidence, BINS)
        right = np.bincount(bins, self.predicted == self.labels, BINS)
        some = counts > 0
        return sure[some] / counts[some], right[some] / counts[some], counts[some]

    @property
    def calibration_error(self) -> float:
        """The expected calibration error: how far confidence is from accuracy, bins weighed by their count.

        C. Guo et al., On Calibration of Modern Neural Networks (2017).
        """
        confidence, accuracy, counts = self.reliability()
        return float((np.abs(confidence - accuracy) * counts).sum() / counts.sum())

    def of_classes(self, names: list[str]) -> dict[str, dict[str, float]]:
        """Precision, recall, F1, area under the ROC curve and average precision of each class.

        The last two are None for a class that no example, or every one, belongs to.
        """
        classes = range(len(names))
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            self.labels, self.predicted, labels=classes, zero_division=0.0
        )
        result: dict[str, Any] = {}
        for index, name in enumerate(names):
            truth = self.labels == index
            both = 0 < truth.sum() < len(truth)
            scores = self.probabilities[:, index]
            result[name] = {
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "f1": float(f1[index]),
                "support": int(support[index]),
                "roc_auc": float(metrics.roc_auc_score(truth, scores)) if both else None,
                "average_precision": float(metrics.average_precision_score(truth, scores)) if both else None,
            }
        return result

    def summary(self, names: list[str]) -> dict[str, Any]:
        """For `metrics.json`."""
        wider = {f"top_{count}": self.top(count) for count in (2, 3, 5) if count < len(names)}
        of_classes = self.of_classes(names)
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "accuracy_95": list(self.accuracy_interval),
            **wider,
            "macro_f1": float(np.mean([each["f1"] for each in of_classes.values()])),
            "calibration_error": self.calibration_error,
            "images": len(self.labels),
            "classes": of_classes,
        }


def evaluate(model: keras.Model, batches: keras.utils.PyDataset) -> Evaluation:
    """Predict every example once.

    Args:
        model: with a softmax output, or one sigmoid unit for the second of two classes.
        batches: (pictures, labels) in any order, labels one-hot or, for sigmoid, (batch, 1).
    """
    probabilities, labels = [], []
    for index in range(len(batches)):
        pictures, wanted = batches[index]
        probabilities.append(probabilities_of(model, pictures))
        single = wanted.shape[1] == 1
        labels.append(wanted[:, 0].astype(int) if single else wanted.argmax(axis=1))
    return Evaluation(np.concatenate(probabilities), np.concatenate(labels))
