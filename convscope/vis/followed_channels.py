"""The channels that are followed through the epochs of a training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.vis.layer_selection import select, without_maps

FIRST = 8  # channels that are followed by default


@dataclass(frozen=True)
class Followed:
    """A layer and the numbers of the channels that are followed."""

    layer: Layer
    channels: list[int]


def select_channels(
    layers: Sequence[Layer], patterns: Sequence[str], channels: Sequence[int]
) -> list[Followed]:
    """Return the layers with feature maps that match `patterns`, and their channels.

    Without patterns, the layer is the last convolution. Without channels, they are the first eight.

    Raises:
        ConvscopeError: a pattern matches no layer, no layer has feature maps, or a channel does not exist.
    """
    selected = select(layers, patterns or ["last_conv"])
    chosen = [layer for layer in selected if layer.has_maps]
    if not chosen:
        raise without_maps(selected[0], "choose convolution or pooling layers")
    return [_followed(layer, channels) for layer in chosen]


def _followed(layer: Layer, wanted: Sequence[int]) -> Followed:
    if wanted and not 0 <= min(wanted) <= max(wanted) < layer.channels:
        raise ConvscopeError(
            f"channels={list(wanted)}: layer {layer.path} has the channels 0 to {layer.channels - 1}"
        )
    return Followed(layer, list(wanted) or list(range(min(FIRST, layer.channels))))


def most_changed(first: np.ndarray, last: np.ndarray, count: int = FIRST) -> list[int]:
    """Return the channels that change most between two states, in ascending order.

    The change of a channel is the root mean square of the difference of its maps. Equal changes are ranked by
    the index of the channel.

    Args:
        first: maps in the first state, float (..., channels), of one photograph or several.
        last: maps in the last state, of the same shape.
        count: the maximum number of channels.
    """
    difference = last.astype(np.float64) - first
    change = np.sqrt((difference**2).mean(axis=tuple(range(difference.ndim - 1))))
    return sorted(int(channel) for channel in np.argsort(-change, kind="stable")[:count])
