"""Scores of a classifier, computed from its probabilities in one pass over the data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from sklearn import metrics

from convscope.graph import probabilities_of
from convscope.training.test_time import VariantModel

BINS = 15  # bins of the confidence, as in C. Guo et al. (2017)
RESAMPLINGS = 2000


@dataclass(frozen=True)
class Evaluation:
    """The predictions for one split: `probabilities`, float (n, classes), and `labels`, int (n,)."""

    probabilities: np.ndarray
    labels: np.ndarray

    @cached_property
    def predicted(self) -> np.ndarray:
        """The most probable class of each example, int (n,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def loss(self) -> float:
        """The mean cross-entropy in nats. Probabilities are clipped to [1e-7, 1 - 1e-7], as in Keras."""
        true_class = self.probabilities[np.arange(len(self.labels)), self.labels]
        return float(-np.log(np.clip(true_class, 1e-7, 1 - 1e-7)).mean())

    @property
    def accuracy(self) -> float:
        """The fraction of correct predictions."""
        return float((self.predicted == self.labels).mean())

    @cached_property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of the accuracy: 2,000 samples with replacement, a fixed seed.

        B. Efron, Bootstrap Methods: Another Look at the Jackknife (1979).
        """
        correct = (self.predicted == self.labels).sum()
        draws = np.random.default_rng(0).binomial(len(self.labels), correct / len(self.labels), RESAMPLINGS)
        low, high = np.quantile(draws / len(self.labels), [0.025, 0.975])
        return float(low), float(high)

    @property
    def constant_answer(self) -> tuple[int, float]:
        """The most frequent true class, and the accuracy of always answering it."""
        counts = np.bincount(self.labels)
        return int(counts.argmax()), float(counts.max() / counts.sum())

    @property
    def confusion(self) -> np.ndarray:
        """The confusion matrix: counts, int (true class, predicted class)."""
        classes = range(self.probabilities.shape[1])
        return metrics.confusion_matrix(self.labels, self.predicted, labels=classes)

    def top_accuracy(self, count: int) -> float:
        """Return the fraction of examples whose true class is among the `count` most probable ones."""
        likeliest = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :count]
        return float((likeliest == self.labels[:, None]).any(axis=1).mean())

    def reliability(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return mean confidence, accuracy and number of examples of each non-empty confidence bin."""
        confidence = self.probabilities.max(axis=1)
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        confidences = np.bincount(bins, confidence, BINS)
        correct = np.bincount(bins, self.predicted == self.labels, BINS)
        filled = counts > 0
        return confidences[filled] / counts[filled], correct[filled] / counts[filled], counts[filled]

    @property
    def calibration_error(self) -> float:
        """The expected calibration error: the mean of |confidence - accuracy| over bins, weighted by count.

        C. Guo et al., On Calibration of Modern Neural Networks (2017).
        """
        confidence, accuracy, counts = self.reliability()
        return float((np.abs(confidence - accuracy) * counts).sum() / counts.sum())

    def class_scores(self, names: list[str]) -> dict[str, dict[str, Any]]:
        """Return precision, recall, F1, support, ROC area and average precision of each class.

        Recall and F1 are None for a class without examples. ROC area and average precision are None for a
        class that has no examples, or all of them.
        """
        classes = range(len(names))
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            self.labels, self.predicted, labels=classes, zero_division=0.0
        )
        result: dict[str, dict[str, Any]] = {}
        for index, name in enumerate(names):
            truth = self.labels == index
            both = 0 < truth.sum() < len(truth)
            scores = self.probabilities[:, index]
            result[name] = {
                "precision": float(precision[index]),
                "recall": float(recall[index]) if support[index] else None,
                "f1": float(f1[index]) if support[index] else None,
                "support": int(support[index]),
                "roc_auc": float(metrics.roc_auc_score(truth, scores)) if both else None,
                "average_precision": float(metrics.average_precision_score(truth, scores)) if both else None,
            }
        return result

    def summary(self, names: list[str]) -> dict[str, Any]:
        """Return all scores as `metrics.json` stores them.

        `macro_f1` is the mean over the classes that have examples.
        """
        top = {f"top_{count}": self.top_accuracy(count) for count in (2, 3, 5) if count < len(names)}
        class_scores = self.class_scores(names)
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "accuracy_95": list(self.accuracy_interval),
            **top,
            "macro_f1": float(np.mean([row["f1"] for row in class_scores.values() if row["support"]])),
            "calibration_error": self.calibration_error,
            "images": len(self.labels),
            "classes": class_scores,
        }


def evaluate(model: keras.Model, batches: keras.utils.PyDataset) -> Evaluation:
    """Predict every example once, and return the predictions with the labels.

    Args:
        model: a model with a softmax output, or a single sigmoid unit for the second of two classes.
        batches: (pictures, labels) in any order; labels are one-hot or, for sigmoid, (batch, 1).
    """
    return _evaluate(lambda pictures: probabilities_of(model, pictures[0]), [batches])


def evaluate_variants(model: VariantModel, batches: Sequence[keras.utils.PyDataset]) -> Evaluation:
    """Predict every example once for each variant, and return the averages with the labels.

    `batches` have the same examples at each of `model.sizes`.
    """
    return _evaluate(model.probabilities, batches)


def _evaluate(
    predict: Callable[[list[np.ndarray]], np.ndarray], batches: Sequence[keras.utils.PyDataset]
) -> Evaluation:
    """Predict every example once; `predict` gets a batch of pictures from each of `batches`."""
    probabilities, labels = [], []
    for index in range(len(batches[0])):
        parts = [data[index] for data in batches]
        probabilities.append(predict([pictures for pictures, _ in parts]))
        labels.append(_labels(parts[0][1]))
    return Evaluation(np.concatenate(probabilities), np.concatenate(labels))


def _labels(targets: np.ndarray) -> np.ndarray:
    """Return class indices (batch,) of one-hot labels (batch, classes) or of binary ones (batch, 1)."""
    return targets[:, 0].astype(int) if targets.shape[1] == 1 else targets.argmax(axis=1)
