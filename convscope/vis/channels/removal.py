"""Removal of channels: the accuracy of the network with a channel replaced by its mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import scipy.special
from keras import ops

from convscope.graph import Layer, activation_of, before_activation, of_each_class
from convscope.graph.recording import ancestors
from convscope.vis.channels.separate import keeps_channels_apart
from convscope.vis.channels.work import work_of
from convscope.vis.tensor_graph import others_needed

_VALUES = 2**22  # values of the replaced tensor in one batch: 16 MiB


@dataclass(frozen=True)
class Accuracy:
    """How well images are classified.

    Attributes:
        of_class: float64 (..., classes), the share of correct images of each class; NaN without images.
        all: float64 (...), the share of all images.
        probability: float64 (..., classes), the mean probability of the true class for the images of each
            class; NaN without images.
    """

    of_class: np.ndarray
    all: np.ndarray
    probability: np.ndarray

    def minus(self, other: "Accuracy") -> "Accuracy":
        """Return the differences."""
        return Accuracy(
            self.of_class - other.of_class, self.all - other.all, self.probability - other.probability
        )


class Removal:
    """A network from a layer on, with single channels of the layer replaced by constants.

    `work` is the estimated work for one image and one channel, see `work_of`.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Layer], layer: Layer) -> None:
        """Cut the network after the layers behind `layer` that process each channel alone.

        Args:
            model: the flat model; its output is (batch, classes) or a single sigmoid unit.
            layers: all layers of the model.
            layer: the layer whose channels are replaced; the output must depend on it.
        """
        logits = before_activation(model.outputs[0])
        self.layer = layer
        self._cut = last_alone(layers, layer, logits)
        others = others_needed(self._cut, logits)
        self._trunk = keras.Model(model.inputs[0], [layer.output, self._cut, *others])
        self._alone = None if self._cut is layer.output else keras.Model(layer.output, self._cut)
        self._head = None if self._cut is logits else keras.Model([self._cut, *others], logits)
        self._activation = activation_of(model.outputs[0])
        self.work = sum(
            work_of(later)
            for later in layers
            if id(self._cut) in ancestors(later.output) - {id(later.output)}
        )

    def __call__(
        self,
        inputs: np.ndarray,
        labels: np.ndarray,
        classes: Sequence[int],
        *,
        means: np.ndarray,
        channels: Sequence[int],
    ) -> tuple[Accuracy, Accuracy]:
        """Return the accuracy of the network, and with each of some channels replaced.

        Args:
            inputs: preprocessed images, float32 (n, height, width, channels).
            labels: the true class of each image, int (n,).
            classes: the classes to report.
            means: the constant for each channel of the layer, float (channels,).
            channels: the channels to replace, one at a time.

        Returns:
            two accuracies; the arrays of the second one begin with the axis of the channels.
        """
        probabilities: list[list[np.ndarray]] = [[] for _ in range(1 + len(channels))]
        for first in range(0, len(inputs), self._batch):
            maps, cut, *others = self._trunk(inputs[first : first + self._batch], training=False)
            replaced = self._constant(means, maps.shape[1:])
            values = np.array(cut)
            probabilities[0].append(self._probabilities(values, others))
            for row, channel in enumerate(channels):
                values[..., channel] = replaced[..., channel]
                probabilities[1 + row].append(self._probabilities(values, others))
                values[..., channel] = np.asarray(cut[..., channel])
        before, *after = (accuracy(np.concatenate(parts), labels, classes) for parts in probabilities)
        empty = [np.zeros((0, len(classes))), np.zeros(0), np.zeros((0, len(classes)))]
        parts = [[one.of_class, one.all, one.probability] for one in after]
        return before, Accuracy(*(map(np.stack, zip(*parts, strict=True)) if parts else empty))

    def _constant(self, means: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """Return the tensor at the cut if each channel of the layer is constant; the batch is one."""
        constant = np.broadcast_to(np.float32(means), (1, *shape))
        if self._alone is None:
            return constant
        return np.asarray(self._alone(ops.convert_to_tensor(constant), training=False))

    @property
    def _batch(self) -> int:
        values = int(np.prod([side or 1 for side in self._cut.shape[1:]]))
        return max(1, _VALUES // values)

    def _probabilities(self, values: np.ndarray, others: Sequence[Any]) -> np.ndarray:
        if self._head is None:
            logits = values.astype(np.float64)
        else:
            inputs = [ops.convert_to_tensor(values), *others]
            logits = np.asarray(self._head(inputs, training=False), np.float64)
        if self._activation == "softmax":
            return scipy.special.softmax(logits, axis=-1)
        return of_each_class(scipy.special.expit(logits))


def last_alone(layers: Sequence[Layer], layer: Layer, logits: Any) -> Any:
    """Return the last tensor after a layer that has its channels, each computed from that channel alone."""
    tensor = layer.output
    while id(tensor) != id(logits):
        users = [user for user in layers if layer.index in user.sources]
        if len(users) != 1 or users[0].input is not tensor or not _is_alone(users[0].keras_layer):
            break
        layer, tensor = users[0], users[0].output
    return tensor


def _is_alone(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return layer.depth_multiplier == 1
    return isinstance(layer, keras.layers.BatchNormalization) or keeps_channels_apart(layer)


def accuracy(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[int]) -> Accuracy:
    """Return the accuracy of predictions.

    Args:
        probabilities: float (n, classes of the model).
        labels: the true classes, int (n,).
        classes: the classes to report.
    """
    correct = probabilities.argmax(axis=1) == labels
    true = probabilities[np.arange(len(labels)), labels]
    of_class = [labels == label for label in classes]
    return Accuracy(
        np.array([correct[own].mean() if own.any() else np.nan for own in of_class]),
        np.asarray(correct.mean()),
        np.array([true[own].mean() if own.any() else np.nan for own in of_class]),
    )
