"""The weights behind a cell: kernel × window plus bias must be the value of the network."""

import keras
import numpy as np
import pytest
from keras import layers

from convscope.graph import JoinedLayer, flatten, joined_layers
from convscope.vis.cell_weights import cell_weights


def network(*after: layers.Layer, **options: object) -> tuple[JoinedLayer, np.ndarray, np.ndarray]:
    """Return a convolution with layers after it, a picture, and its output for the picture."""
    pixels = keras.Input((7, 7, 2))
    tensor = layers.Conv2D(3, 3, name="conv", **options)(pixels)
    for layer in after:
        tensor = layer(tensor)
    model = keras.Model(pixels, layers.Dense(2)(layers.Flatten()(tensor)))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights(
            [rng.uniform(0.2, 1, weight.shape) - 0.4 * (weight.ndim > 1) for weight in layer.get_weights()]
        )
    (joined,) = (one for one in joined_layers(flatten(model).layers) if one.path == "conv")
    picture = rng.normal(size=(1, 7, 7, 2)).astype(np.float32)
    output = keras.Model(pixels, tensor)(picture, training=False)
    return joined, picture[0], np.asarray(output)[0]


def cell(joined: JoinedLayer, picture: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return the sums of products of a cell, as the page computes them."""
    weights = cell_weights(joined)
    assert weights
    padded = np.pad(picture, ((8, 8), (8, 8), (0, 0)))
    rows, columns = (
        8 + weights.start[axis] + at * weights.strides[axis] + np.arange(3) * weights.dilation[axis]
        for axis, at in enumerate((row, column))
    )
    return (padded[np.ix_(rows, columns)][..., None] * weights.kernel).sum(axis=(0, 1, 2)) + weights.bias


@pytest.mark.parametrize(
    "options",
    [{}, {"padding": "same"}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}, {"use_bias": False}],
)
def test_the_sum_of_a_cell_is_the_output_of_the_convolution(options: dict) -> None:
    joined, picture, output = network(**options)
    for at in ((0, 0), (1, 2)):
        np.testing.assert_allclose(cell(joined, picture, *at), output[at], rtol=1e-4, atol=1e-5)


def test_the_normalization_is_folded_into_kernel_and_bias() -> None:
    joined, picture, output = network(layers.BatchNormalization(), layers.ReLU())
    weights = cell_weights(joined)
    assert weights
    assert (weights.folded, weights.activation) == (True, "relu")
    sums = cell(joined, picture, 2, 3)
    np.testing.assert_allclose(np.maximum(sums, 0), output[2, 3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", [layers.ELU, layers.LeakyReLU, layers.PReLU])
def test_an_activation_that_is_a_layer_is_named(activation: type[layers.Layer]) -> None:
    joined, *_ = network(layers.BatchNormalization(), activation())
    weights = cell_weights(joined)
    assert weights
    assert weights.activation == activation.__name__


def test_the_activation_inside_a_layer_is_named_and_others_have_no_weights() -> None:
    joined, *_ = network(activation="elu")
    weights = cell_weights(joined)
    assert weights
    assert (weights.activation, weights.folded) == ("elu", False)
    pixels = keras.Input((7, 7, 2))
    depthwise = flatten(keras.Model(pixels, layers.Flatten()(layers.DepthwiseConv2D(3)(pixels))))
    assert cell_weights(joined_layers(depthwise.layers)[1]) is None
