"""Patterns of channels: responses, restarts, exact patterns, and independence of other channels."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.models import small_convnet
from convscope.preprocessing import Preprocessing, by_name
from convscope.vis.ascent.maximize import Network
from convscope.vis.ascent.objectives import LOGITS
from convscope.vis.ascent.patterns import RESTARTS, Patterns, Settings, maximize_channels

UNIT_RANGE = by_name("unit_range")


def small_network() -> tuple[keras.Model, Network]:
    """Return a convnet with two convolutions of 6 and 8 channels, and its network."""
    keras.utils.set_random_seed(2)
    model = small_convnet.build(3, input_size=40, widths=(6, 8))
    return model, network_of(model)


def network_of(model: keras.Model, preprocessing: Preprocessing = UNIT_RANGE) -> Network:
    graph = flatten(model)
    return Network(graph.model, graph.layers, preprocessing)


def patterns_of(network: Network, layer: str, channels: Any, **changed: Any) -> Patterns:
    photographs = changed.pop("photographs", None)
    settings = Settings(**{"method": "fourier", "size": 32, "steps": 30} | changed)
    return maximize_channels(network, layer, channels, settings, photographs=photographs)


@pytest.mark.parametrize("method", ["fourier", "book"])
def test_ascent_raises_the_objective_of_every_channel(method: str) -> None:
    _, network = small_network()
    found = patterns_of(network, "conv2d_2", range(8), method=method)
    assert (found.growth[:, -1] > found.growth[:, 0]).all()
    assert not found.silent.any()


def test_the_responses_are_those_of_the_returned_pictures() -> None:
    model, network = small_network()
    found = patterns_of(network, "conv2d_2", [5, 1], size=40)
    maps = np.asarray(keras.Model(model.inputs, model.get_layer("conv2d_2").output)(found.pictures / 255.0))
    own = np.stack([maps[0, ..., 5], maps[1, ..., 1]])
    np.testing.assert_allclose(found.mean, np.maximum(own, 0).mean((1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.peak, own.max((1, 2)), rtol=1e-4, atol=1e-6)


def test_the_ascent_finds_stripes_for_a_filter_that_responds_to_stripes() -> None:
    """A kernel that subtracts right from left, over three channels in [0, 1], after a ReLU.

    Stripes of two pixels black and two white give 6, 0, 0, 0 and so on: 1.5 on average, and stripes of four
    and four give 3, 6, 3, 0, 0, 0, 0, 0: 1.5 as well.
    """
    inputs = keras.Input((32, 32, 3))
    rectified = keras.layers.ReLU()(inputs - 0.01)  # so that the filter is not linear in the pixels
    model = keras.Model(inputs, keras.layers.Conv2D(1, (1, 4), use_bias=False, name="stripes")(rectified))
    kernel = np.tile(np.array([1, 1, -1, -1], np.float32).reshape(1, 4, 1, 1), (1, 1, 3, 1))
    model.set_weights([kernel])
    found = patterns_of(network_of(model), "stripes", [0], steps=100)
    assert not found.exact.any()
    assert found.mean > 0.75 * 1.5
    assert found.peak > 0.75 * 6


def test_a_pattern_does_not_depend_on_the_other_channels() -> None:
    _, network = small_network()
    one, several = patterns_of(network, "conv2d_2", [3]), patterns_of(network, "conv2d_2", range(8))
    np.testing.assert_array_equal(one.pictures[0], several.pictures[3])
    assert one.peak[0] == several.peak[3]


def test_the_seed_decides_the_pixels() -> None:
    _, network = small_network()
    first, again, other = (patterns_of(network, "conv2d_2", [0], seed=seed).pictures for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_ascent_does_not_change_the_model() -> None:
    model, network = small_network()
    before = [weight.copy() for weight in model.get_weights()]
    patterns_of(network, "conv2d_2", [0], steps=2)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# ---- restarts


def hidden_red() -> Network:
    """Return a network with a channel for pure red that is silent for noise, and a channel that is dead.

    Both have no gradient at noise, because the ReLU before them is silent.
    """
    inputs = keras.Input((32, 32, 3))
    red = keras.layers.Conv2D(1, 5, activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1, name="red")(red))
    kernel = np.zeros((5, 5, 3, 1), np.float32)
    kernel[..., 0, 0], kernel[..., 1:, 0] = 1, -1
    last = np.array([1, 0], np.float32).reshape(1, 1, 1, 2)
    model.set_weights([kernel, np.array([-20], np.float32), last, np.array([0, -1], np.float32)])
    return network_of(model)


def test_a_silent_channel_restarts_from_noise_and_is_reported_as_silent() -> None:
    found = patterns_of(hidden_red(), "red", [0, 1], steps=5)
    assert found.silent.tolist() == [True, True]
    assert found.restarts.tolist() == [RESTARTS, RESTARTS]


def test_a_silent_channel_restarts_at_last_from_its_photograph() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255
    found = patterns_of(hidden_red(), "red", [0, 1], steps=5, photographs={0: red})
    assert found.silent.tolist() == [False, True]
    assert found.restarts.tolist() == [RESTARTS + 1, RESTARTS]


# ---- exact patterns


def largest_responses(kernel: np.ndarray, bias: Any, preprocessing: Preprocessing) -> np.ndarray:
    """Return the largest response of each kernel (height, width, 3, channels) to pixels from 0 to 255."""
    low, high = (preprocessing.encode(np.full((1, 1, 3), value, np.float32)) for value in (0, 255))
    return np.maximum(kernel * low[..., None], kernel * high[..., None]).sum((0, 1, 2)) + bias


@pytest.mark.parametrize("shape", [{}, {"strides": 2, "padding": "same"}])
@pytest.mark.parametrize("side", [3, 4])
def test_patterns_of_the_first_convolution_have_the_largest_possible_response(
    side: int, shape: dict[str, Any]
) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((64, 64, 3))
    layer = keras.layers.Conv2D(20, side, bias_initializer="random_normal", name="first", **shape)
    network = network_of(keras.Model(inputs, layer(inputs)))
    found = patterns_of(network, "first", range(20), size=64)
    expected = largest_responses(np.asarray(layer.kernel), np.asarray(layer.bias), UNIT_RANGE)
    assert found.exact.all()
    np.testing.assert_allclose(found.peak, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("weights", "layer"),
    [("efficientnet_lite0_imagenet.keras", "stem_conv"), ("vgg16_notop_edges.weights.h5", "block1_conv1")],
)
def test_patterns_of_trained_first_convolutions_reach_the_largest_response(
    shared: Path, weights: str, layer: str
) -> None:
    if weights.endswith(".keras"):
        model = keras.models.load_model(shared / "weights" / weights, compile=False)
    else:
        model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))
        model.load_weights(shared / "weights" / weights)
    preprocessing = Preprocessing("affine", (1 / 128,) * 3, (-127 / 128,) * 3)
    first = model.get_layer(layer)
    expected = largest_responses(np.asarray(first.kernel), 0, preprocessing)
    if first.bias is not None:
        expected += np.asarray(first.bias)
    found = patterns_of(network_of(model, preprocessing), layer, range(len(expected)), size=64)
    assert (found.peak > 0.999 * expected).all()


def test_batch_normalization_with_a_negative_factor_inverts_the_exact_pattern() -> None:
    inputs = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(1, 1, use_bias=False)(inputs)
    outputs = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization(name="normal")(maps))
    model = keras.Model(inputs, outputs)
    model.layers[1].set_weights([np.array([1, -1, 0], np.float32).reshape(1, 1, 3, 1)])
    normal = model.get_layer("normal")
    normal.set_weights([np.array([-2.0]), np.array([0.5]), np.array([0.0]), np.array([1 - normal.epsilon])])
    found = patterns_of(network_of(model), "relu", [0])
    assert (found.pictures[0] == (0, 255, 128)).all()
    np.testing.assert_allclose(found.peak, [2.5], rtol=1e-5)  # -2 · (0 - 1) + 0.5


def test_a_channel_without_weights_has_a_grey_exact_pattern_and_is_silent() -> None:
    inputs = keras.Input((32, 32, 3))
    layer = keras.layers.Conv2D(2, 3, name="first")
    network = network_of(keras.Model(inputs, layer(inputs)))
    kernel = np.ones((3, 3, 3, 2), np.float32)
    kernel[..., 1] = 0
    layer.set_weights([kernel, np.array([0, -1], np.float32)])
    found = patterns_of(network, "first", [0, 1])
    assert found.exact.all()
    assert found.silent.tolist() == [False, True]
    assert (found.pictures[1] == 128).all()


# ---- layers without maps, and pictures that do not fit


@pytest.mark.parametrize("layer", ["dense", LOGITS])
def test_units_have_patterns_at_the_size_of_the_input(layer: str) -> None:
    _, network = small_network()
    found = patterns_of(network, layer, [0, 2], size=40)
    assert (found.growth[:, -5:].min(1) > found.growth[:, 0]).all()
    np.testing.assert_allclose(found.mean, np.maximum(found.peak, 0))


@pytest.mark.parametrize(("layer", "size"), [("dense", 32), ("deep", 8)])
def test_pictures_that_do_not_fit_a_layer_are_refused(layer: str, size: int) -> None:
    inputs = keras.Input((40, 40, 3))
    maps = keras.layers.Conv2D(2, 3, name="deep")(keras.layers.MaxPooling2D(4)(inputs))
    outputs = keras.layers.Dense(2, name="dense")(keras.layers.Flatten()(maps))
    network = network_of(keras.Model(inputs, outputs))
    with pytest.raises(ConvscopeError, match=rf"pictures of {size}×{size} pixels do not fit {layer}.*40×40"):
        patterns_of(network, layer, [0], size=size)
