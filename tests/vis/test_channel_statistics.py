"""Statistics of channels over many pictures, against numpy and values worked out by hand."""

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.vis.channel_statistics import (
    ChannelStatistics,
    _histograms,
    _quantile,
    channel_statistics,
    equal_bins,
    rectified,
)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_quantiles_agree_with_numpy_to_a_sixteenth(scale: float) -> None:
    values = (np.random.default_rng(0).normal(0.3, 1, (50_000, 3)) * scale).astype(np.float32)
    values[:, 2] = np.maximum(values[:, 2], 0)
    for share in (0.02, 0.5, 0.995):
        expected = np.quantile(values, share, axis=0)
        found = _quantile(_histograms(values), share)
        assert found == pytest.approx(expected, rel=1 / 16, abs=2**-39)


def test_every_value_is_in_the_bin_of_its_magnitude() -> None:
    values = np.float32([0, 1, 1.07, 2, -1, 1e-13, 1e13])[:, None]
    counts = _histograms(values)[0]
    assert counts.sum() == 7
    zero = len(counts) // 2
    assert counts[zero] == 2  # 0 and 1e-13
    one = zero + 40 * 16 + 1
    assert (counts[one], counts[one + 1], counts[one + 16]) == (1, 1, 1)
    assert counts[zero - 40 * 16 - 1] == 1
    assert counts[-1] == 1


def test_bars_agree_with_the_numpy_histogram_of_nonzero_values() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, (100_000, 1)).astype(np.float32)
    values[:25_000] = 0
    counts, ends = equal_bins(_histograms(values)[0])
    some = values[25_000:]
    assert ends[[0, -1]] == pytest.approx(np.quantile(some, [0.005, 0.995]), rel=1 / 16)
    expected, _ = np.histogram(some, ends)
    assert np.abs(counts - expected).max() < 0.1 * expected.max()
    assert counts.sum() == pytest.approx(0.99 * 75_000, rel=1e-3)


def test_bars_by_hand() -> None:
    values = np.float32([0] * 90 + [1] * 5 + [3] * 5)[:, None]  # in the bins [1, 1 1/16) and [3, 3 1/8)
    counts, ends = equal_bins(_histograms(values)[0])
    assert ends[[0, -1]] == pytest.approx([1 + 0.01 / 16, 3 + 0.99 / 8])
    assert (counts > 0).nonzero()[0].tolist() == [0, 1, 37, 38, 39]  # a step is 0.0531
    assert counts[:2].sum() == pytest.approx(4.95)
    assert counts[37:].sum() == pytest.approx(4.95)
    assert counts[0] == pytest.approx(5 * 16 * (ends[1] - ends[0]))  # a bin is spread evenly


def test_bars_of_zeros_are_empty() -> None:
    counts, ends = equal_bins(_histograms(np.zeros((9, 1), np.float32))[0])
    assert not counts.any()
    assert (np.diff(ends) > 0).all()


def net() -> keras.Model:
    """Channel 0 of each branch never gets over zero."""
    inputs = keras.Input((8, 8, 1))
    conv = keras.layers.Conv2D(2, 1, name="conv", kernel_initializer="ones")(inputs)
    normal = keras.layers.BatchNormalization(name="normal")(conv)
    rectifier = keras.layers.ReLU(name="rectifier")(normal)
    inner = keras.layers.Conv2D(3, 1, activation="relu", name="inner")(rectifier)
    leaky = keras.layers.LeakyReLU(name="leaky")(keras.layers.Conv2D(2, 1, name="before_leaky")(inner))
    added = keras.layers.Add(name="added")([leaky, keras.layers.Conv2D(2, 1, name="before_sum")(inner)])
    pooled = keras.layers.GlobalAveragePooling2D(name="mean")(keras.layers.ReLU(name="end")(added))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="out")(pooled))
    model.get_layer("conv").set_weights([np.ones((1, 1, 1, 2)), np.float32([-5, 0])])
    return model


def test_the_rectifier_is_found_through_normalization_and_nowhere_else() -> None:
    layers = flatten(net()).layers
    by_path = {layer.path: layer for layer in layers}
    found = {path: rectified(layers, layer) for path, layer in by_path.items()}
    assert {path: cut.path for path, cut in found.items() if cut} == {
        "conv": "rectifier", "normal": "rectifier", "rectifier": "rectifier", "inner": "inner", "end": "end",
        "added": "end",
    }  # fmt: skip


def batches(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(1).random((count // 50, 50, 8, 8, 1)).astype(np.float32))


def test_channels_that_are_zero_for_1000_pictures_are_dead() -> None:
    graph = flatten(net())
    shown = [layer for layer in graph.layers if layer.path in ("conv", "before_leaky")]
    found = channel_statistics(graph.model, graph.layers, shown, batches(1000))
    assert found["conv"].dead.tolist() == [True, False]
    assert found["before_leaky"].dead is None
    assert found["conv"].pictures == 1000
    pixels = np.stack(batches(1000))  # the convolution adds -5 and 0 to them
    high = np.quantile(pixels, 0.995)
    assert found["conv"].high == pytest.approx([high - 5, high], rel=1 / 16)
    counts, ends = found["conv"].histogram  # half of it from -5 to -4, half from 0 to 1
    assert found["conv"].zeros == (pixels == 0).mean() / 2
    assert ends[[0, -1]] == pytest.approx([-4.99, 0.99], abs=0.02)
    both = np.concatenate([pixels.ravel() - 5, pixels.ravel()])
    assert counts == pytest.approx(np.histogram(both, ends)[0], abs=0.07 * counts.max())


def test_a_linear_layer_is_signed_and_a_rectified_one_is_not() -> None:
    graph = flatten(net())
    shown = [layer for layer in graph.layers if layer.path in ("conv", "rectifier")]
    found = channel_statistics(graph.model, graph.layers, shown, batches(1000))
    low, high = np.quantile(np.stack(batches(1000)), [0.005, 0.995])  # the convolution adds -5 and 0
    assert found["conv"].low == pytest.approx([low - 5, low], rel=1 / 16)
    assert found["conv"].bound == pytest.approx([5 - low, high], rel=1 / 16)
    assert found["conv"].signed
    assert found["rectifier"].low.tolist() == [0, pytest.approx(low, rel=1 / 16)]
    assert not found["rectifier"].signed


def test_a_rounding_error_below_zero_is_no_sign() -> None:
    def seen(low: list[float]) -> ChannelStatistics:
        nothing = (np.zeros(1), np.zeros(2))
        return ChannelStatistics(9, np.array([8.0, 2.0]), None, 0.0, nothing, np.array(low))

    assert not seen([0, -7e-6]).signed
    assert seen([0, -9e-6]).signed
    assert not ChannelStatistics(9, np.array([8.0]), None, 0.0, (np.zeros(1), np.zeros(2))).signed


def test_fewer_than_1000_pictures_leave_dead_unknown() -> None:
    graph = flatten(net())
    shown = [layer for layer in graph.layers if layer.path == "conv"]
    assert channel_statistics(graph.model, graph.layers, shown, batches(950))["conv"].dead is None


def test_values_that_are_not_finite_are_refused() -> None:
    graph = flatten(net())
    shown = [layer for layer in graph.layers if layer.path == "conv"]
    with pytest.raises(ConvscopeError, match="conv returns values that are not finite"):
        channel_statistics(graph.model, graph.layers, shown, [np.full((1, 8, 8, 1), np.nan, np.float32)])
