"""Which layers of a model are meant: by path, glob, type, place or distance, or by what they are."""

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
# What stands between the last feature maps and the head, and adds nothing to see.
_PASSED_OVER = (*_POOLINGS, keras.layers.Dropout, keras.layers.SpatialDropout2D)


def with_maps(layers: Sequence[Layer]) -> list[Layer]:
    """The convolution and pooling layers among them."""
    return [
        layer
        for layer in layers
        if layer.has_maps and (layer.is_convolution or isinstance(layer.keras_layer, _POOLINGS))
    ]


def select(layers: Sequence[Layer], patterns: Sequence[str], *, drawable: bool = False) -> list[Layer]:
    """The layers that some pattern means, in graph order.

    Args:
        layers: of a model, all of them.
        patterns: each a path (`block5_conv3`, `trunk/block5_conv3`); a glob of paths or of names (`mixed*`);
            `type:Conv2D`; a place in the list from 0 (`7`, `-1`) or a slice of it (`:50`, `3:20:2`);
            `last_conv`; or `every:10`, each tenth of the layers with feature maps, from the last one back.
        drawable: pass over layers that have neither feature maps nor units, unless they are meant by path or
            place.

    Raises:
        ConvscopeError: a pattern means nothing, with near matches.
    """
    chosen: set[int] = set()
    for pattern in patterns:
        found = _one(layers, pattern)
        if drawable and (len(found) > 1 or "*" in pattern or pattern.startswith("type:")):
            found = [each for each in found if each.has_maps or each.has_units]
        chosen |= {each.index for each in found}
    return [layer for layer in layers if layer.index in chosen]


def _one(layers: Sequence[Layer], pattern: str) -> list[Layer]:
    by_path = [layer for layer in layers if layer.path == pattern]
    if by_path:
        return by_path
    if pattern.startswith("type:"):
        return _of_type(layers, pattern.removeprefix("type:"))
    if pattern == "last_conv":
        return [_last_convolution(layers)]
    if re.fullmatch(r"every:[1-9]\d*", pattern):
        return list(reversed(with_maps(layers)[:: -int(pattern.removeprefix("every:"))]))
    if re.fullmatch(r"-?\d+", pattern):
        return [_at(layers, int(pattern))]
    if re.fullmatch(r"(-?\d+)?:(-?\d+)?(:-?[1-9]\d*)?", pattern):
        bounds = [int(each) if each else None for each in pattern.split(":")]
        if found := list(layers)[slice(*bounds)]:
            return sorted(found, key=lambda layer: layer.index)
        raise ConvscopeError(f"no layers in {pattern}: the model has those from 0 to {len(layers) - 1}")
    inner = "/" not in pattern
    found = [
        layer
        for layer in layers
        if fnmatch.fnmatchcase(layer.path, pattern)
        or (inner and fnmatch.fnmatchcase(layer.path.rpartition("/")[2], pattern))
    ]
    if not found:
        raise unknown("layer", pattern, [layer.path for layer in layers])
    return found


def _of_type(layers: Sequence[Layer], kind: str) -> list[Layer]:
    found = [layer for layer in layers if layer.kind == kind]
    if not found:
        raise unknown("type of layer", kind, sorted({layer.kind for layer in layers}))
    return found


def _at(layers: Sequence[Layer], place: int) -> Layer:
    if not -len(layers) <= place < len(layers):
        raise ConvscopeError(f"no layer {place}: expected {-len(layers)} to {len(layers) - 1}")
    return layers[place]


def _last_convolution(layers: Sequence[Layer]) -> Layer:
    convolutions = [layer for layer in layers if layer.is_convolution and layer.has_maps]
    if not convolutions:
        raise ConvscopeError("last_conv: the model has no convolution")
    return convolutions[-1]


def spread(layers: Sequence[Layer], count: int) -> list[Layer]:
    """`count` of the convolutions, evenly across the depth, the last among them."""
    convolutions = [layer for layer in layers if layer.is_convolution and layer.has_maps]
    steps = min(count, len(convolutions))
    return [convolutions[len(convolutions) * (step + 1) // steps - 1] for step in range(steps)]


def last_maps(layers: Sequence[Layer]) -> Layer:
    """The last feature maps before the head: pooling and dropout at the end are passed over.

    They are what Grad-CAM weighs (Selvaraju et al. 2017: the last convolutional layer): the last
    convolution after its activation in a small convnet, `mixed10` in InceptionV3.

    Raises:
        ConvscopeError: no layer puts out feature maps.
    """
    candidates = [
        layer
        for layer in layers
        if layer.has_maps and not isinstance(layer.keras_layer, (keras.layers.InputLayer, *_PASSED_OVER))
    ]
    if not candidates:
        raise ConvscopeError("the model has no feature maps: expected a convolutional network")
    return candidates[-1]


def with_filters(layers: Sequence[Layer], patterns: Sequence[str], key: str) -> list[Layer]:
    """The layers that `key=patterns` means, or four convolutions across the depth.

    Raises:
        ConvscopeError: a pattern means nothing, or a layer that has no feature maps.
    """
    if not patterns:
        return spread(layers, DEFAULT_LAYERS)
    chosen = select(layers, patterns)
    for layer in chosen:
        if not layer.has_maps:
            raise ConvscopeError(
                f"layer {layer.path} ({layer.kind}) has no filters to draw, its output is {layer.shape}: "
                f"choose convolutions in {key}"
            )
    return chosen
