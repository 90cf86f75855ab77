"""Removal of channels: the accuracy of the network with a channel replaced by its mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import scipy.special
from keras import ops

from convscope.graph import Layer, activation_of, before_activation, of_each_class
from convscope.graph.keras_private import call_of
from convscope.graph.recording import ancestors
from convscope.vis.channels.separate import keeps_channels_apart
from convscope.vis.channels.work import values_of, work_of
from convscope.vis.tensor_graph import others_needed

_VALUES = 2**22  # values of the largest tensor at the cut in one batch: 16 MiB
_OF_PASS = 2**28  # values of all layers in one pass up to the cut: 1 GiB


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

    def at(self, index: int) -> "Accuracy":
        """Return one of several accuracies."""
        return Accuracy(self.of_class[index], self.all[index], self.probability[index])


class Removal:
    """A network from a layer on, with single channels of the layer replaced by constants.

    The layers behind it that process each channel alone (activation, pooling, depthwise convolution) compute
    all constants at once. In the convolution after them, only the products with the replaced channel change:
    they are computed and added. From there on, the network is computed for each replaced channel.

    `path` is the path of the layer. `work` is the estimated work for one image and channel; see `work_of`.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Layer], layer: Layer) -> None:
        """Cut the network.

        Args:
            model: the flat model; its output is (batch, classes) or a single sigmoid unit.
            layers: all layers of the model.
            layer: the layer whose channels are replaced; the output must depend on it.
        """
        logits = before_activation(model.outputs[0])
        cut = last_alone(layers, layer, logits)
        after = _convolution_after(layers, cut, logits)
        point, linear = (after.output, before_activation(after.output)) if after else (cut, cut)
        others = others_needed(point, logits)
        self.path = layer.path
        self._convolution: Any = after.keras_layer if after else None
        self._trunk = keras.Model(model.inputs[0], [layer.output, cut, linear, *others])
        self._alone = None if cut is layer.output else keras.Model(layer.output, cut)
        self._head = None if point is logits else keras.Model([point, *others], logits)
        self._activation = activation_of(model.outputs[0])
        self._batch = max(1, _VALUES // max(math.prod(_known(one.shape)) for one in (cut, linear)))
        self._of_pass = max(1, _OF_PASS // sum(map(values_of, layers)))
        self.work = sum(work_of(later) for later in layers if _depends(later.output, point))
        if after:
            self.work += work_of(after) / int(cut.shape[-1])

    def __call__(
        self,
        inputs: np.ndarray,
        labels: np.ndarray,
        classes: Sequence[int] | np.ndarray,
        *,
        means: np.ndarray,
        channels: Sequence[int] | np.ndarray,
    ) -> tuple[Accuracy, Accuracy]:
        """Return the accuracy of the network, and with each of some channels replaced.

        Args:
            inputs: preprocessed images, float32 (n, height, width, channels).
            labels: the true class of each image, int (n,).
            classes: the classes to report.
            means: the constant for each channel of the layer, float (channels,).
            channels: the channels to replace, one at a time; at least one.

        Returns:
            two accuracies; the arrays of the second one begin with the axis of the channels.
        """
        probabilities: list[list[np.ndarray]] = [[] for _ in range(1 + len(channels))]
        for first in range(0, len(inputs), self._batch):
            maps, cut, linear, *others = self._up_to_cut(inputs[first : first + self._batch])
            constant = self._constant(means, maps.shape[1:])
            probabilities[0].append(self._probabilities(linear, others))
            for row, channel in enumerate(channels):
                one = slice(channel, channel + 1)
                changed = linear + self._products(constant[..., one] - cut[..., one], int(channel))
                probabilities[1 + row].append(self._probabilities(changed, others))
        before, *after = (accuracy(np.concatenate(parts), labels, classes) for parts in probabilities)
        parts = [(one.of_class, one.all, one.probability) for one in after]
        return before, Accuracy(*map(np.stack, zip(*parts, strict=True)))

    def _up_to_cut(self, inputs: np.ndarray) -> list[Any]:
        """Return the maps of the layer and the tensors that the rest of the network starts from."""
        starts = range(0, len(inputs), self._of_pass)
        passes = [self._trunk(inputs[start : start + self._of_pass], training=False) for start in starts]
        return [ops.concatenate(parts) for parts in zip(*passes, strict=True)]

    def _constant(self, means: np.ndarray, shape: Sequence[int]) -> Any:
        """Return the tensor at the cut if each channel of the layer is constant; the batch is one."""
        constant = ops.convert_to_tensor(np.broadcast_to(np.float32(means), (1, *shape)))
        return constant if self._alone is None else self._alone(constant, training=False)

    def _products(self, change: Any, channel: int) -> Any:
        """Return what a change of one channel, (batch, …, 1), adds to the tensor before the activation."""
        convolution = self._convolution
        if convolution is None:
            return change * ops.one_hot(channel, int(self._trunk.outputs[1].shape[-1]))
        return ops.conv(
            change,
            convolution.kernel[:, :, channel : channel + 1],
            strides=convolution.strides,
            padding=convolution.padding,
            dilation_rate=convolution.dilation_rate,
        )

    def _probabilities(self, linear: Any, others: Sequence[Any]) -> np.ndarray:
        """Return the probability of each class from the tensor after the cut, before its activation."""
        values = linear if self._convolution is None else self._convolution.activation(linear)
        logits = values if self._head is None else self._head([values, *others], training=False)
        logits = np.asarray(logits, np.float64)
        if self._activation == "softmax":
            return scipy.special.softmax(logits, axis=-1)
        return of_each_class(scipy.special.expit(logits))


def _known(shape: Sequence[int | None]) -> list[int]:
    """Return the sides of a shape without the batch; a side that depends on the input is one."""
    return [side or 1 for side in shape[1:]]


def _depends(tensor: Any, source: Any) -> bool:
    return tensor is not source and id(source) in ancestors(tensor)


def _convolution_after(layers: Sequence[Layer], tensor: Any, logits: Any) -> Layer | None:
    """Return the convolution that is the only user of a tensor, if its products can be computed apart."""
    users = [layer for layer in layers if any(tensor is one for one in call_of(layer.output).inputs)]
    if len(users) != 1 or type(users[0].keras_layer) is not keras.layers.Conv2D:
        return None
    is_only = not any(one is tensor for one in others_needed(users[0].output, logits))
    leads_on = id(users[0].output) in ancestors(logits)
    return users[0] if is_only and leads_on and users[0].keras_layer.groups == 1 else None


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


def accuracy(probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[int] | np.ndarray) -> Accuracy:
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
