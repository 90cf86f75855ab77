"""How good a model is: loss, accuracy and confusion, from one pass over the data."""

from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True)
class Evaluation:
    """What one pass over a split gave.

    `loss` is the mean cross-entropy in nats, `accuracy` a fraction, `confusion` int (true, predicted).
    """

    loss: float
    accuracy: float
    confusion: np.ndarray

    def summary(self) -> dict[str, float]:
        """For `metrics.json`."""
        return {"loss": self.loss, "accuracy": self.accuracy}


def evaluate(model: keras.Model, batches: keras.utils.PyDataset) -> Evaluation:
    """Predict every example once and score it.

    Args:
        model: with a softmax output, or one sigmoid unit for the second of two classes.
        batches: (pictures, labels) in any order, labels one-hot or, for sigmoid, (batch, 1).
    """
    probabilities, labels = [], []
    for index in range(len(batches)):
        pictures, wanted = batches[index]
        output = np.asarray(model.predict_on_batch(pictures), np.float64)
        single = output.shape[1] == 1
        probabilities.append(np.hstack([1 - output, output]) if single else output)
        labels.append(wanted[:, 0].astype(int) if single else wanted.argmax(axis=1))
    return score(np.concatenate(probabilities), np.concatenate(labels))


def score(probabilities: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Score predictions: float (n, classes) that sum to 1, int (n,).

    Probabilities are kept at 1e-7 from 0, as Keras' cross-entropy does.
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    of_truth = probabilities[np.arange(len(labels)), labels]
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (labels, predicted), 1)
    return Evaluation(
        loss=float(-np.log(np.clip(of_truth, 1e-7, 1 - 1e-7)).mean()),
        accuracy=float((predicted == labels).mean()),
        confusion=confusion,
    )
