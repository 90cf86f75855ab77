"""The photographs of a gallery: the surest correct ones, the surest mistakes, and the least certain ones."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Choice:
    """The photographs of one true class, as indices into the data.

    Attributes:
        correct: correctly classified, the highest probability first.
        wrong: wrongly classified, the highest probability first.
        uncertain: the lowest probability of the predicted class first; none of the photographs above.
    """

    correct: list[int]
    wrong: list[int]
    uncertain: list[int]


def choose(probabilities: np.ndarray, labels: np.ndarray, count: int) -> list[Choice]:
    """Return the choice for each class.

    Args:
        probabilities: float (n, classes), 0 to 1.
        labels: int (n,), the true classes.
        count: the maximum number of photographs of each kind.
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    choices = []
    for label in range(probabilities.shape[1]):
        of_class = np.flatnonzero(labels == label)
        certain = of_class[np.argsort(-confidence[of_class], kind="stable")]
        is_correct = predicted[certain] == label
        correct = certain[is_correct][:count].tolist()
        wrong = certain[~is_correct][:count].tolist()
        others = [index for index in certain[::-1].tolist() if index not in {*correct, *wrong}]
        choices.append(Choice(correct, wrong, others[:count]))
    return choices
