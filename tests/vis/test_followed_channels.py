"""The channels that are followed through a training."""

import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.vis.followed_channels import most_changed, select_channels
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


def test_channels_that_a_layer_lacks_are_refused() -> None:
    layers = flatten(nets.two_channels()).layers
    (followed,) = select_channels(layers, ["maps"], [])
    assert followed.channels == [0, 1]
    with pytest.raises(ConvscopeError, match="maps has the channels 0 to 1"):
        select_channels(layers, ["maps"], [2])
