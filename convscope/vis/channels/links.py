"""Links between channels of successive layers: the norms of the kernel slices that connect them.

The strength of the link from channel i to channel o is the L2 norm of the weights between them, over the
positions of the kernel. A batch normalization after the convolution multiplies it by |gamma| / deviation of
o, one between the two layers by that of i. The strength does not depend on how large the values of i are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from convscope.graph import JoinedLayer, Layer
from convscope.graph.keras_private import call_of
from convscope.vis.channels.separate import keeps_channels_apart


@dataclass(frozen=True)
class Link:
    """A channel of another layer, by the index of the layer's output, and the strength of the link."""

    layer: int
    channel: int
    strength: float


@dataclass(frozen=True)
class Links:
    """The strongest links of each channel of a layer, the strongest first."""

    inputs: list[list[Link]]
    outputs: list[list[Link]]


@dataclass(frozen=True)
class _Source:
    """A joined layer whose channels are channels `first`, … of a tensor, each times a factor (channels,)."""

    layer: JoinedLayer
    first: int
    factor: np.ndarray


def strongest_links(layers: Sequence[JoinedLayer], count: int) -> dict[int, Links]:
    """Return the strongest links of each layer, by the index of its output.

    A layer has links if it is a convolution or dense. Links lead from a convolution through activations,
    pooling, padding, batch normalization, additions, concatenations and flattening to the next convolutions
    and dense layers. Through another operation, such as a product, no link is defined.

    Args:
        layers: all joined layers of a flat graph.
        count: the maximum number of links in each direction.
    """
    by_output = {id(layer.output.output): layer for layer in layers}
    inputs: dict[int, list[list[Link]]] = {}
    outputs: dict[int, list[list[Link]]] = {}
    for layer in layers:
        if not layer.is_convolution and not layer.output.has_units:
            continue
        index, channels = layer.output.index, layer.output.channels
        inputs[index] = [[] for _ in range(channels)]
        outputs[index] = [[] for _ in range(channels)]
        for source, strengths in _strengths(layer, by_output):
            start = source.layer.output.index
            _add(inputs[index], strengths.T, start, count)
            _add(outputs[start], strengths, index, count)
    return {index: Links(inputs[index], outputs[index]) for index in inputs}


def _add(links: list[list[Link]], strengths: np.ndarray, layer: int, count: int) -> None:
    """Add links to the channels of a layer; `strengths` is float (channels, channels of the other layer)."""
    order = np.argsort(-strengths, axis=1, kind="stable")[:, :count]
    for own, (row, others) in enumerate(zip(strengths, order, strict=True)):
        new = [Link(layer, int(other), float(row[other])) for other in others if row[other] > 0]
        # Of equal strengths, the nearest layer comes first: the layers are added in order.
        links[own] = sorted(new + links[own], key=lambda link: -link.strength)[:count]


def _strengths(layer: JoinedLayer, by_output: dict[int, JoinedLayer]) -> list[tuple[_Source, np.ndarray]]:
    """Return the sources of a layer with the strengths of the links, (channels of the source, channels)."""
    first = layer.members[0]
    slices = slice_norms(first)
    if slices is None:
        return []
    for member in layer.members[1:]:
        if isinstance(member.keras_layer, keras.layers.BatchNormalization):
            slices = slices * scale_of(member.keras_layer)
    result = []
    for source in _sources(first.input, by_output, {}):
        rows = slice(source.first, source.first + len(source.factor))
        result.append((source, slices[rows] * source.factor[:, None]))
    return result


def scale_of(layer: keras.layers.BatchNormalization) -> np.ndarray:
    """Return the factor of each channel, |gamma| / standard deviation, float64 (channels,)."""
    variance = np.asarray(layer.moving_variance, np.float64)
    gamma = np.ones_like(variance) if layer.gamma is None else np.asarray(layer.gamma, np.float64)
    return np.abs(gamma) / np.sqrt(variance + layer.epsilon)


def slice_norms(layer: Layer) -> np.ndarray | None:
    """Return the norm of the weights between input and output channels, float64 (inputs, outputs).

    The inputs of a dense layer after `Flatten` are the channels of the maps before it; the norm is over the
    positions, with a batch normalization between the two folded in. The result is None for a layer whose
    weights are not known.
    """
    operation: Any = layer.keras_layer
    kind = _known_kind(operation)
    if kind is None:
        return None
    if kind is keras.layers.SeparableConv2D:
        depthwise = np.asarray(operation.depthwise_kernel, np.float64)
        pointwise = np.asarray(operation.pointwise_kernel, np.float64)[0, 0]
        pointwise = pointwise.reshape(*depthwise.shape[2:], -1)
        return _norm(np.einsum("hwim,imo->hwio", depthwise, pointwise))
    kernel = np.asarray(operation.kernel, np.float64)
    if kind is keras.layers.Dense:
        flattened = _flattened(layer.input)
        if flattened is None:
            return np.abs(kernel)
        return _norm((kernel * flattened.factor[:, None]).reshape(1, -1, flattened.channels, kernel.shape[1]))
    if kind is keras.layers.Conv2DTranspose:
        return _norm(kernel.swapaxes(2, 3))
    if kind is keras.layers.DepthwiseConv2D:
        norms, groups = _norm(kernel), kernel.shape[2]
        norms = norms.reshape(groups, 1, -1)  # each input channel is a group
    else:
        groups = operation.groups
        norms = np.moveaxis(_norm(kernel).reshape(kernel.shape[2], groups, -1), 1, 0)
    _, inputs, outputs = norms.shape
    result = np.zeros((groups, inputs, groups, outputs))
    result[np.arange(groups), :, np.arange(groups)] = norms
    return result.reshape(groups * inputs, groups * outputs)


def _known_kind(operation: Any) -> Any:
    """Return the class of Keras that an operation is, None for other classes, which may use other weights."""
    kinds = (
        keras.layers.Conv2D,
        keras.layers.Conv2DTranspose,
        keras.layers.DepthwiseConv2D,
        keras.layers.SeparableConv2D,
        keras.layers.Dense,
    )
    return next((kind for kind in kinds if type(operation) is kind), None)


def _norm(kernel: np.ndarray) -> np.ndarray:
    """Return the L2 norm over the positions, (inputs, outputs), of (height, width, inputs, outputs)."""
    return np.sqrt((kernel**2).sum(axis=(0, 1)))


@dataclass(frozen=True)
class _Flattened:
    """Maps as a vector: the number of their channels, and the factor of each value, float64 (values,)."""

    channels: int
    factor: np.ndarray


def _flattened(tensor: Any) -> _Flattened | None:
    """Return what a vector is if it is flattened from maps with several positions, and None otherwise.

    Batch normalization and layers that keep the channels apart may lie between `Flatten` and the vector.
    """
    if tensor.ndim != 2:
        return None
    call = call_of(tensor)
    operation = call.operation
    if isinstance(operation, keras.layers.Flatten) and call.inputs[0].ndim == 4:
        channels, values = int(call.inputs[0].shape[-1]), tensor.shape[-1]
        return None if values in (None, channels) else _Flattened(channels, np.ones(values))
    is_normalization = isinstance(operation, keras.layers.BatchNormalization)
    if not is_normalization and not _keeps_channels(operation, call.inputs):
        return None
    before = _flattened(call.inputs[0])
    if before is None or not is_normalization:
        return before
    return replace(before, factor=before.factor * scale_of(operation))


def _sources(
    tensor: Any, by_output: dict[int, JoinedLayer], known: dict[int, list[_Source]]
) -> list[_Source]:
    """Return the convolutions whose channels are the channels of a tensor; `known` are by tensor."""
    if id(tensor) in known:
        return known[id(tensor)]
    layer = by_output.get(id(tensor))
    call = call_of(tensor)
    operation = call.operation
    result: list[_Source] = []
    if layer is not None and layer.is_convolution:
        result = [_Source(layer, 0, np.ones(layer.output.channels))]
    elif _keeps_channels(operation, call.inputs):
        result = _sources(call.inputs[0], by_output, known)
    elif isinstance(operation, keras.layers.BatchNormalization) and _flattened(tensor):
        result = _sources(call.inputs[0], by_output, known)  # `slice_norms` has the factor of each value
    elif any(_flattened(part) for part in call.inputs):
        result = []  # several vectors: the rows of a dense kernel are not the channels of the maps
    elif isinstance(operation, keras.layers.BatchNormalization):
        scale = scale_of(operation)
        for source in _sources(call.inputs[0], by_output, known):
            own = scale[source.first : source.first + len(source.factor)]
            result.append(replace(source, factor=source.factor * own))
    elif isinstance(operation, keras.layers.Add):
        result = [one for part in call.inputs for one in _sources(part, by_output, known)]
    elif isinstance(operation, keras.layers.Concatenate) and operation.axis in (-1, tensor.ndim - 1):
        first = 0
        for part in call.inputs:
            found = _sources(part, by_output, known)
            result += [replace(source, first=first + source.first) for source in found]
            first += int(part.shape[-1])
    known[id(tensor)] = _distinct(result)
    return known[id(tensor)]


def _keeps_channels(operation: Any, inputs: Sequence[Any]) -> bool:
    if isinstance(operation, keras.layers.Flatten):
        return len(inputs[0].shape) in (2, 4)
    return keeps_channels_apart(operation)


def _distinct(sources: Sequence[_Source]) -> list[_Source]:
    """Return the sources, each once: an addition may get the same channels on two ways."""
    return list({(source.layer.output.index, source.first): source for source in sources}.values())
