"""The selection of layers: by path, glob, type, index or distance, or by their role."""

import fnmatch
import re
from collections.abc import Sequence

import keras

from convscope.errors import ConvscopeError, unknown
from convscope.graph import Layer

DEFAULT_LAYERS = 4
_POOLINGS = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
)
# Layers between the last feature maps and the head that only reduce or drop values.
_SKIPPED = (*_POOLINGS, keras.layers.Dropout, keras.layers.SpatialDropout2D)


def convolutions_and_poolings(layers: Sequence[Layer]) -> list[Layer]:
    """Return the convolution and pooling layers."""
    return [
        layer
        for layer in layers
        if layer.has_maps and (layer.is_convolution or isinstance(layer.keras_layer, _POOLINGS))
    ]


def select(layers: Sequence[Layer], patterns: str | Sequence[str], *, drawable: bool = False) -> list[Layer]:
    """Return the layers that match one of the patterns, in graph order.

    Args:
        layers: all layers of a model.
        patterns: a pattern or several; each is a layer path (`block5_conv3`, `trunk/block5_conv3`); a glob of
            paths or of names (`mixed*`); `type:Conv2D`; an index from 0 (`7`, `-1`) or a slice (`:50`,
            `3:20:2`); `last_conv`; or `every:10`: every tenth convolution or pooling, counted back from the
            last one.
        drawable: skip layers without feature maps and units, unless a path or an index selects them.

    Raises:
        ConvscopeError: a pattern matches no layer; the message lists similar names.
    """
    chosen: set[int] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        matches = _matches(layers, pattern)
        if drawable and (len(matches) > 1 or "*" in pattern or pattern.startswith("type:")):
            matches = [layer for layer in matches if layer.has_maps or layer.has_units]
        chosen |= {layer.index for layer in matches}
    return [layer for layer in layers if layer.index in chosen]


def _matches(layers: Sequence[Layer], pattern: str) -> list[Layer]:
    by_path = [layer for layer in layers if layer.path == pattern]
    if by_path:
        return by_path
    if pattern.startswith("type:"):
        return _of_type(layers, pattern.removeprefix("type:"))
    if pattern == "last_conv":
        return [_last_convolution(layers)]
    if re.fullmatch(r"every:[1-9]\d*", pattern):
        return list(reversed(convolutions_and_poolings(layers)[:: -int(pattern.removeprefix("every:"))]))
    if re.fullmatch(r"-?\d+", pattern):
        return [_at(layers, int(pattern))]
    if re.fullmatch(r"(-?\d+)?:(-?\d+)?(:-?[1-9]\d*)?", pattern):
        bounds = [int(bound) if bound else None for bound in pattern.split(":")]
        if selected := list(layers)[slice(*bounds)]:
            return sorted(selected, key=lambda layer: layer.index)
        raise ConvscopeError(
            f"no layer in the slice '{pattern}': expected indices from 0 to {len(layers) - 1}"
        )
    inner = "/" not in pattern
    matches = [
        layer
        for layer in layers
        if fnmatch.fnmatchcase(layer.path, pattern)
        or (inner and fnmatch.fnmatchcase(layer.path.rpartition("/")[2], pattern))
    ]
    if not matches:
        raise unknown("layer", pattern, [layer.path for layer in layers])
    return matches


def _of_type(layers: Sequence[Layer], kind: str) -> list[Layer]:
    matches = [layer for layer in layers if layer.kind == kind]
    if not matches:
        raise unknown("type of layer", kind, sorted({layer.kind for layer in layers}))
    return matches


def _at(layers: Sequence[Layer], index: int) -> Layer:
    if not -len(layers) <= index < len(layers):
        raise ConvscopeError(f"no layer {index}: expected an index from {-len(layers)} to {len(layers) - 1}")
    return layers[index]


def _last_convolution(layers: Sequence[Layer]) -> Layer:
    convolutions = [layer for layer in layers if layer.is_convolution and layer.has_maps]
    if not convolutions:
        raise ConvscopeError("layer last_conv: the model has no convolution; choose layers by path or index")
    return convolutions[-1]


def spread(layers: Sequence[Layer], count: int) -> list[Layer]:
    """Return up to `count` convolutions at equal steps of depth, including the last one."""
    convolutions = [layer for layer in layers if layer.is_convolution and layer.has_maps]
    steps = min(count, len(convolutions))
    return [convolutions[len(convolutions) * (step + 1) // steps - 1] for step in range(steps)]


def last_maps(layers: Sequence[Layer]) -> Layer:
    """Return the layer with the last feature maps before the head, without pooling and dropout.

    It is the default layer of Grad-CAM (Selvaraju et al. 2017: the last convolutional layer). In a small
    convnet it is the last convolution after its activation, in InceptionV3 it is `mixed10`. Maps of a single
    position, as MobileNet has behind its global pooling, are returned only if the model has no others.

    Raises:
        ConvscopeError: no layer has feature maps.
    """
    candidates = [
        layer
        for layer in layers
        if layer.has_maps and not isinstance(layer.keras_layer, (keras.layers.InputLayer, *_SKIPPED))
    ]
    if not candidates:
        raise ConvscopeError("the model has no feature maps; expected a convolutional network")
    with_positions = [layer for layer in candidates if layer.shape[:2] != (1, 1)]
    return (with_positions or candidates)[-1]


def select_with_maps(layers: Sequence[Layer], patterns: Sequence[str], key: str) -> list[Layer]:
    """Return the layers that match `patterns`; without patterns, four convolutions at equal steps of depth.

    `key` is the name of the setting in error messages.

    Raises:
        ConvscopeError: a pattern matches no layer, or a layer has no feature maps.
    """
    if not patterns:
        return spread(layers, DEFAULT_LAYERS)
    chosen = select(layers, patterns)
    for layer in chosen:
        if not layer.has_maps:
            raise without_maps(layer, f"choose convolution layers in {key}")
    return chosen


def without_maps(layer: Layer, advice: str) -> ConvscopeError:
    """Return the error for a layer without feature maps."""
    return ConvscopeError(
        f"layer {layer.path} ({layer.kind}) has no feature maps (output shape {layer.shape}): {advice}"
    )
