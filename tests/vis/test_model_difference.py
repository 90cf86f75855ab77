import math

import keras
import numpy as np
import pytest

from convscope.vis.model_difference import MapCorrelation, kernels, relative_change


def test_the_correlation_of_four_values_by_hand() -> None:
    correlation = MapCorrelation()
    one = np.array([0.0, 1, 2, 5]).reshape(1, 4, 1)  # around the mean: -2, -1, 0, 3; squares 14
    other = np.array([1.0, 0, 3, 8]).reshape(1, 4, 1)  # -2, -3, 0, 5; squares 38; products 4 + 3 + 15 = 22
    correlation.add(one, other)
    assert correlation.mean == pytest.approx(22 / math.sqrt(14 * 38), rel=1e-12)


def test_photographs_count_as_one_set_of_positions() -> None:
    rng = np.random.default_rng(0)
    one = 1e3 + rng.normal(size=(3, 4, 5, 6)).cumsum(axis=0)  # means that differ, and are large
    other = one * rng.uniform(-1, 1, 6) + rng.normal(size=one.shape)
    correlation = MapCorrelation()
    for of_photograph in zip(one, other, strict=True):
        correlation.add(*of_photograph)
    for channel, found in enumerate(correlation.of_channels):
        expected = np.corrcoef(one[..., channel].ravel(), other[..., channel].ravel())[0, 1]
        assert found == pytest.approx(expected, rel=1e-9)


def test_scaled_maps_have_the_correlation_one() -> None:
    maps = np.random.default_rng(0).normal(size=(5, 5, 3)).astype(np.float32)
    for factor, expected in ((1, 1), (2, 1), (-0.5, -1)):
        correlation = MapCorrelation()
        correlation.add(maps, factor * maps)
        np.testing.assert_allclose(correlation.of_channels, expected, rtol=1e-12)


def test_constant_channels_are_left_out() -> None:
    maps = np.random.default_rng(0).normal(size=(5, 5, 3))
    other = maps.copy()
    other[..., 1] = 0.1
    correlation = MapCorrelation()
    correlation.add(maps, other)
    assert np.isnan(correlation.of_channels).tolist() == [False, True, False]
    assert (correlation.channels, correlation.mean) == (2, pytest.approx(1))
    silent = MapCorrelation()
    silent.add(maps, np.full_like(maps, 7))
    assert (silent.channels, math.isnan(silent.mean)) == (0, True)


def test_the_change_of_kernels_by_hand() -> None:
    before, after = [np.array([[3.0, 0], [0, 4]])], [np.array([[3.0, 3], [4, 4]])]
    assert relative_change(before, after) == 1  # 5 of 5
    assert relative_change(before, before) == 0
    assert relative_change(before, [2 * before[0]]) == 1
    assert relative_change([*before, np.array([12.0])], [*after, np.array([12.0])]) == 5 / 13
    assert math.isnan(relative_change([np.zeros(2)], [np.ones(2)]))


def test_biases_and_normalization_are_no_kernels() -> None:
    layers = [keras.layers.SeparableConv2D(4, 3), keras.layers.BatchNormalization()]
    for layer in layers:
        layer.build((None, 8, 8, 2))
    assert [each.shape for each in kernels(layers[0])] == [(3, 3, 2, 1), (1, 1, 2, 4)]
    assert kernels(layers[1]) == []
