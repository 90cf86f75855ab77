"""Feature maps during a training: chosen channels of a model with the weights of several epochs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.vis.extractor import Extractor
from convscope.vis.layer_selection import select

FIRST = 8  # channels that are followed by default


@dataclass(frozen=True)
class Followed:
    """A layer and the numbers of the channels that are followed."""

    layer: Layer
    channels: list[int]


def follow(layers: Sequence[Layer], patterns: Sequence[str], channels: Sequence[int]) -> list[Followed]:
    """Return the layers with feature maps that match `patterns`, and their channels.

    The default of `patterns` is last_conv, that of `channels` the first eight.

    Raises:
        ConvscopeError: a pattern matches no layer, no layer has feature maps, or a channel does not exist.
    """
    selected = select(layers, patterns or ["last_conv"])
    chosen = [layer for layer in selected if layer.has_maps]
    if not chosen:
        first = selected[0]
        raise ConvscopeError(
            f"layer {first.path} ({first.kind}) has no feature maps, its output is {first.shape}: "
            "choose convolutions or poolings to see their evolution"
        )
    return [_followed(layer, channels) for layer in chosen]


def _followed(layer: Layer, wanted: Sequence[int]) -> Followed:
    if wanted and not 0 <= min(wanted) <= max(wanted) < layer.channels:
        raise ConvscopeError(
            f"evolution of channels {list(wanted)}: {layer.path} has the channels 0 to {layer.channels - 1}"
        )
    return Followed(layer, list(wanted) or list(range(min(FIRST, layer.channels))))


def most_changed(first: np.ndarray, last: np.ndarray, count: int = FIRST) -> list[int]:
    """Return the channels that change most between two states, in ascending order.

    The change of a channel is the root mean square of the difference of its maps. Of equal changes the first
    channels are taken.

    Args:
        first: maps in the first state, float (..., channels): of one photograph or of several.
        last: the same in the last state.
        count: how many channels, at most.
    """
    difference = last.astype(np.float64) - first
    change = np.sqrt((difference**2).mean(axis=tuple(range(difference.ndim - 1))))
    return sorted(int(channel) for channel in np.argsort(-change, kind="stable")[:count])


def follow_most_changed(
    extract: Extractor, followed: Sequence[Followed], inputs: np.ndarray, states: Iterable[object]
) -> list[Followed]:
    """Return the same layers with the eight channels of each that change most from first to last state.

    Args:
        extract: the extractor of the followed layers.
        followed: the layers; their channels are replaced.
        inputs: preprocessed pictures, float32 (batch, height, width, channels), which all count alike.
        states: an iterable that sets the weights of the model; the last ones stay.

    Raises:
        ConvscopeError: a layer puts out values that are not finite.
    """
    first: dict[str, np.ndarray] | None = None
    for _ in states:
        first = first or extract(inputs)
    if first is None:
        raise ConvscopeError("no states to compare: expected the weights of two epochs or more")
    last = extract(inputs)
    return [
        Followed(each.layer, most_changed(first[each.layer.path], last[each.layer.path])) for each in followed
    ]


def maps_of_states(
    extract: Extractor, followed: Sequence[Followed], inputs: np.ndarray, states: Iterable[object]
) -> dict[str, np.ndarray]:
    """Return the maps of the followed channels for one picture in each state of a model.

    Args:
        extract: the extractor of the followed layers.
        followed: the layers and channels to keep.
        inputs: one preprocessed picture, float32 (1, height, width, channels).
        states: an iterable that sets the weights of the model.

    Returns:
        float32 (states, height, width, channels), by layer path.

    Raises:
        ConvscopeError: a layer puts out values that are not finite.
    """
    maps: dict[str, list[np.ndarray]] = {each.layer.path: [] for each in followed}
    for _ in states:
        outputs = extract(inputs)
        for each in followed:
            maps[each.layer.path].append(outputs[each.layer.path][0][..., each.channels])
    return {path: np.stack(of_states) for path, of_states in maps.items()}
