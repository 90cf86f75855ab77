"""Labels that may be wrong: a classifier not trained on the image confidently predicts another class.

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
    """An image whose label may be wrong: its index, the suggested class, the probabilities of both."""

    index: int
    suggested: int
    of_label: float
    of_suggested: float


def cross_validated(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return class probabilities from logistic regressions that were fitted to other images.

    Args:
        features: (n, …), computed by a network that was not trained on these labels.
        labels: int (n,); at least `FOLDS` images of each class.

    Returns:
        float (n, classes).
    """
    flat = np.reshape(features, (len(features), -1))
    strength = 10 / flat.shape[1]  # independent of the number of features
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return cross_val_predict(classifier, flat, labels, cv=folds, method="predict_proba")


def suspects(probabilities: np.ndarray, labels: np.ndarray) -> list[Suspect]:
    """Return the images that are confidently predicted as another class than their label.

    The most confident ones come first. A class is predicted confidently if its probability is at least its
    mean over the images with this label.

    Args:
        probabilities: (n, classes), from models that were not trained on the image.
        labels: int (n,); each class occurs.
    """
    classes = probabilities.shape[1]
    threshold = np.array([probabilities[labels == index, index].mean() for index in range(classes)])
    confident = np.where(probabilities >= threshold, probabilities, -1.0)
    likeliest = confident.argmax(axis=1)
    rows = np.arange(len(labels))
    doubted = np.flatnonzero((likeliest != labels) & (confident[rows, likeliest] >= 0))
    result = [
        Suspect(
            int(row),
            int(likeliest[row]),
            float(probabilities[row, labels[row]]),
            float(probabilities[row, likeliest[row]]),
        )
        for row in doubted
    ]
    return sorted(result, key=lambda suspect: suspect.of_label - suspect.of_suggested)
