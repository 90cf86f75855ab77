"""The channels that are followed through a training."""

from collections.abc import Iterator

import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.vis.extractor import Extractor
from convscope.vis.followed_channels import follow, follow_most_changed, maps_of_states, most_changed
from tests.vis import nets


def test_the_channels_that_change_most_by_hand() -> None:
    """The squares of the changes add up to 2, 0, 9, 2 and 16 over two positions."""
    first = np.zeros((1, 2, 5), np.float32)
    last = np.float32([[[1, 0, 3, 1, 0], [-1, 0, 0, 1, 4]]])
    for count, expected in ((1, [4]), (2, [2, 4]), (3, [0, 2, 4]), (8, [0, 1, 2, 3, 4])):
        assert most_changed(first, last, count) == expected


def test_a_large_constant_channel_does_not_change() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 12)).astype(np.float32)
    maps[..., 0] += 1e4
    last = maps.copy()
    last[..., 3:11] += 0.01
    assert most_changed(maps, last) == list(range(3, 11))


def test_the_most_changed_channel_of_a_model_is_followed() -> None:
    model = nets.two_channels()
    graph = flatten(model)
    followed = follow(graph.layers, ["maps"], [0])
    kernel, bias = model.get_weights()
    extract = Extractor(graph.model, [each.layer for each in followed])

    def states() -> Iterator[int]:
        """The second state, which neither begins nor ends, changes the first channel far more."""
        for state, scale in enumerate(([1, 1], [9, 1], [1, 2])):
            model.set_weights([kernel * np.float32(scale), bias])
            yield state

    (chosen,) = follow_most_changed(extract, followed, nets.photograph(), states())
    assert chosen.channels == [0, 1]  # fewer than eight: all
    first, _, last = maps_of_states(extract, [chosen], nets.photograph(), states())["maps"]
    assert most_changed(first, last, 1) == [1]


def test_no_states_are_refused() -> None:
    graph = flatten(nets.two_channels())
    followed = follow(graph.layers, ["maps"], [])
    extract = Extractor(graph.model, [each.layer for each in followed])
    with pytest.raises(ConvscopeError, match="no states to compare"):
        follow_most_changed(extract, followed, nets.photograph(), [])
