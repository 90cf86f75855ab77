"""Labels that may be wrong: what a classifier that has not seen an image is confident that it is not.

C. G. Northcutt, L. Jiang, I. L. Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels (2021).
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5


@dataclass(frozen=True)
class Suspect:
    """An image, by its index, whose label may be wrong; what it may be; the probabilities of both."""

    index: int
    suggested: int
    of_label: float
    of_suggested: float


def cross_validated(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The probability of each class by a logistic regression that was fitted to other images.

    Args:
        features: (n, …), of a network that was not trained on these labels.
        labels: int (n,), at least `FOLDS` of each class.

    Returns:
        float (n, classes).
    """
    flat = np.reshape(features, (len(features), -1))
    strength = 10 / flat.shape[1]  # as for vectors of length 1, however many features they have
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return cross_val_predict(classifier, flat, labels, cv=folds, method="predict_proba")


def suspects(probabilities: np.ndarray, labels: np.ndarray) -> list[Suspect]:
    """Images that are confidently of another class than their label, the surest first.

    Confident means: at least as probable as the class is, on average, for the images that are labelled so.

    Args:
        probabilities: (n, classes), of models that have not seen the image.
        labels: int (n,), each class at least once.
    """
    classes = probabilities.shape[1]
    usual = np.array([probabilities[labels == each, each].mean() for each in range(classes)])
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    best = confident.argmax(axis=1)
    rows = np.arange(len(labels))
    doubted = np.flatnonzero((best != labels) & (confident[rows, best] >= 0))
    found = [
        Suspect(
            int(row),
            int(best[row]),
            float(probabilities[row, labels[row]]),
            float(probabilities[row, best[row]]),
        )
        for row in doubted
    ]
    return sorted(found, key=lambda each: each.of_label - each.of_suggested)
