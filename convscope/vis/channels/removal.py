"""Removal of channels: the accuracy of the network with a channel replaced by its mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from convscope.graph import Layer, activation_of, before_activation, of_logits
from convscope.graph.keras_private import call_of
from convscope.graph.recording import ancestors
from convscope.progress import progress
from convscope.vis.channels.separate import keeps_channels_apart
from convscope.vis.channels.work import work_of
from convscope.vis.tensor_graph import others_needed

_VALUES = 2**22  # values of the largest tensor at the cut in one batch: 16 MiB
_OF_PASS = 8  # images in one pass up to the cuts
_STORED = 2**27  # values at the cuts of several layers: 512 MiB


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

    def at(self, index: int | slice) -> "Accuracy":
        """Return one or some of several accuracies."""
        return Accuracy(self.of_class[index], self.all[index], self.probability[index])


@dataclass(frozen=True)
class Outcomes:
    """Predictions of m networks for n images.

    `correct`, bool (m, n), says whether the predicted class is the true one; `probability`, float64 (m, n),
    is the probability of the true class.
    """

    correct: np.ndarray
    probability: np.ndarray


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
        last = last_alone(layers, layer, logits)
        after = _convolution_after(layers, last, logits)
        cut, point = last.output, after.output if after else last.output
        linear = before_activation(point) if after else cut
        self.path = layer.path
        self.tensors = [cut, linear, *others_needed(point, logits)]
        self._input, self._maps, self._point, self._logits = model.inputs[0], layer.output, point, logits
        self._convolution: Any = after.keras_layer if after else None
        self._activation = activation_of(model.outputs[0])
        self._batch = max(1, _VALUES // max(map(_values, (cut, linear))))
        self.work = sum(map(work_of, _dependent(layers, after or last)))
        if after:
            self.work += work_of(after) / int(cut.shape[-1])

    @cached_property
    def _alone(self) -> keras.Model | None:
        """The network from the layer to the cut, None if the cut is at the layer."""
        cut = self.tensors[0]
        return None if cut is self._maps else keras.Model(self._maps, cut)

    @cached_property
    def _head(self) -> keras.Model | None:
        """The network from the point and the other tensors to the logits, None if the point is the logits."""
        if self._point is self._logits:
            return None
        return keras.Model([self._point, *self.tensors[2:]], self._logits)

    def constant(self, inputs: np.ndarray, means: np.ndarray) -> Any:
        """Return the tensor at the cut if each channel of the layer is constant; the batch is one.

        Args:
            inputs: preprocessed images; only their size is used.
            means: the constant for each channel, float (channels,).
        """
        shape = self._maps.shape[1:]
        if None in shape:
            shape = keras.Model(self._input, self._maps)(inputs[:1], training=False).shape[1:]
        constant = ops.convert_to_tensor(np.broadcast_to(np.float32(means), (1, *shape)))
        return constant if self._alone is None else self._alone(constant, training=False)

    def __call__(
        self, tensors: Sequence[np.ndarray], labels: np.ndarray, constant: Any, channels: np.ndarray
    ) -> Outcomes:
        """Return the outcomes of the network, then those with each of some channels replaced.

        Args:
            tensors: the values of `tensors` for images.
            labels: the true class of each image, int (n,).
            constant: see `constant`.
            channels: the channels to replace, one at a time, int (m,).
        """
        parts = []
        for first in range(0, len(labels), self._batch):
            cut, linear, *others = (
                ops.convert_to_tensor(tensor[first : first + self._batch]) for tensor in tensors
            )
            probabilities = [self._probabilities(linear, others)]
            for channel in channels:
                one = slice(channel, channel + 1)
                change = self._products(constant[..., one] - cut[..., one], int(channel))
                probabilities.append(self._probabilities(linear + change, others))
            parts.append(outcomes(np.stack(probabilities), labels[first : first + self._batch]))
        return joined(parts)

    def _products(self, change: Any, channel: int) -> Any:
        """Return what a change of one channel, (batch, …, 1), adds to the tensor before the activation."""
        convolution = self._convolution
        if convolution is None:
            return change * ops.one_hot(channel, int(self.tensors[0].shape[-1]))
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
        return of_logits(np.asarray(logits), self._activation)


def remove(
    model: keras.Model,
    removals: Sequence[Removal],
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    means: Mapping[str, np.ndarray],
    channels: Mapping[str, np.ndarray],
) -> dict[str, Outcomes]:
    """Return the outcomes of each removal by path: without any change, then for each removed channel.

    The tensors of the last layers are small, and are kept for all images. Those of the other layers are
    computed for a part of the images at a time. So each image goes through the network twice at most.

    Args:
        model: the flat model.
        removals: the networks from each layer on, in the order of the graph.
        inputs: preprocessed images, float32 (n, height, width, channels).
        labels: the true class of each image, int (n,).
        means: by path, the constant for each channel, float (channels,).
        channels: by path, the channels to replace, int (m,).
    """
    chosen = [removal for removal in removals if len(channels[removal.path])]
    kept, used = len(chosen), 0
    while kept and used + len(inputs) * _stored(chosen[kept - 1 :][:1]) <= _STORED:
        kept -= 1
        used += len(inputs) * _stored(chosen[kept:][:1])
    result: dict[str, Outcomes] = {}
    for group in (chosen[:kept], chosen[kept:]):
        if not group:
            continue
        count = min(len(inputs), max(1, _STORED // _stored(group)))
        trunk = keras.Model(model.inputs[0], [tensor for removal in group for tensor in removal.tensors])
        constants = [removal.constant(inputs, means[removal.path]) for removal in group]
        parts: list[list[Outcomes]] = [[] for _ in group]
        starts = range(0, len(inputs), count)
        for start in progress(starts, desc="removing channels", unit="batch"):
            own = slice(start, start + count)
            for index, tensors in enumerate(_tensors(trunk, group, inputs[own])):
                removed = channels[group[index].path]
                parts[index].append(group[index](tensors, labels[own], constants[index], removed))
        result |= {removal.path: joined(part) for removal, part in zip(group, parts, strict=True)}
    return result


def _tensors(trunk: keras.Model, removals: Sequence[Removal], inputs: np.ndarray) -> list[list[np.ndarray]]:
    """Return the values of the tensors of each removal, computed for a few images at a time."""
    starts = range(0, len(inputs), _OF_PASS)
    passes = [
        keras.tree.flatten(trunk.predict_on_batch(inputs[start : start + _OF_PASS])) for start in starts
    ]
    values = iter([np.concatenate(parts) for parts in zip(*passes, strict=True)])
    return [[next(values) for _ in removal.tensors] for removal in removals]


def _stored(removals: Sequence[Removal]) -> int:
    """Return the number of values for one image that removals start from."""
    return sum(_values(tensor) for removal in removals for tensor in removal.tensors)


def _values(tensor: Any) -> int:
    """Return the number of values of a tensor for one image; a side that depends on the input is one."""
    return math.prod(side or 1 for side in tensor.shape[1:])


def _dependent(layers: Sequence[Layer], layer: Layer) -> list[Layer]:
    """Return the layers that depend on the output of a layer."""
    found = {layer.index}
    for later in layers:
        if found & set(later.sources):
            found.add(later.index)
    return [later for later in layers if later.index in found and later is not layer]


def _convolution_after(layers: Sequence[Layer], layer: Layer, logits: Any) -> Layer | None:
    """Return the convolution that alone uses the output of a layer, if its products can be computed apart."""
    tensor = layer.output
    users = [user for user in layers if any(tensor is one for one in call_of(user.output).inputs)]
    if len(users) != 1 or type(users[0].keras_layer) is not keras.layers.Conv2D:
        return None
    is_only = not any(one is tensor for one in others_needed(users[0].output, logits))
    leads_on = id(users[0].output) in ancestors(logits)
    return users[0] if is_only and leads_on and users[0].keras_layer.groups == 1 else None


def last_alone(layers: Sequence[Layer], layer: Layer, logits: Any) -> Layer:
    """Return the last layer after a layer that has its channels, each computed from that channel alone."""
    while layer.output is not logits:
        users = [user for user in layers if layer.index in user.sources]
        if len(users) != 1 or users[0].input is not layer.output or not _is_alone(users[0].keras_layer):
            break
        layer = users[0]
    return layer


def _is_alone(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return layer.depth_multiplier == 1
    return isinstance(layer, keras.layers.BatchNormalization) or keeps_channels_apart(layer)


def outcomes(probabilities: np.ndarray, labels: np.ndarray) -> Outcomes:
    """Return the outcomes of predictions, float (m, n, classes), for the true classes, int (n,)."""
    true = np.take_along_axis(probabilities, labels[None, :, None], axis=-1)[..., 0]
    return Outcomes(probabilities.argmax(axis=-1) == labels, true)


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Return the outcomes of several parts of the images."""
    correct = np.concatenate([part.correct for part in parts], axis=1)
    return Outcomes(correct, np.concatenate([part.probability for part in parts], axis=1))


def accuracy(of_images: Outcomes, labels: np.ndarray, classes: Sequence[int] | np.ndarray) -> Accuracy:
    """Return the accuracy of each of m networks.

    Args:
        of_images: the outcomes for n images.
        labels: the true classes, int (n,).
        classes: the classes to report.
    """

    def by_class(values: np.ndarray) -> np.ndarray:
        own = [values[:, labels == label] for label in classes]
        none = np.full(len(values), np.nan)
        return np.stack([part.mean(axis=1) if part.shape[1] else none for part in own], axis=1)

    correct, probability = of_images.correct, of_images.probability
    return Accuracy(by_class(correct), correct.mean(axis=1), by_class(probability))
