import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.models import pretrained, small_convnet
from convscope.models.applications import application
from convscope.models.head import Head
from convscope.vis.layers import before_activation, last_maps, layers_of, select, spread

CONVNET = small_convnet.build(3, input_size=60, widths=(2, 3, 4))


def paths(layers: list) -> list[str]:
    return [layer.path for layer in layers]


def test_layers_are_chosen_by_path_and_glob_in_graph_order() -> None:
    layers = layers_of(CONVNET)
    assert paths(select(layers, ["conv2d_3", "max_*_1", "conv2d_3"])) == ["max_pooling2d_1", "conv2d_3"]


def test_an_unknown_layer_lists_near_ones() -> None:
    with pytest.raises(ConvscopeError, match=r"no layer 'conv2d_9': did you mean conv2d_"):
        select(layers_of(CONVNET), ["conv2d_9"])


def test_four_layers_are_spread_over_the_depth() -> None:
    layers = layers_of(CONVNET)
    assert paths(spread(layers, 4)) == ["conv2d_1", "conv2d_2", "conv2d_3"]
    assert paths(spread(layers, 2)) == ["conv2d_1", "conv2d_3"]


def test_the_last_maps_are_before_pooling_and_head() -> None:
    assert last_maps(layers_of(CONVNET)).path == "conv2d_3"
    inception = pretrained.from_application(
        application("InceptionV3"), 2, input_size=75, weights=None, head=Head()
    )
    assert last_maps(layers_of(inception)).path == "mixed10"


def test_dropout_after_the_last_convolution_is_passed_over() -> None:
    inputs = keras.Input((9, 9, 3))
    x = keras.layers.Conv2D(2, 3, name="wanted")(inputs)
    x = keras.layers.Dropout(0.5)(keras.layers.MaxPooling2D()(x))
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(x))
    assert last_maps(layers_of(keras.Model(inputs, outputs))).path == "wanted"


def test_a_model_inside_a_model_is_refused() -> None:
    inputs = keras.Input((60, 60, 3))
    with pytest.raises(ConvscopeError, match="is a model of its own"):
        layers_of(keras.Model(inputs, CONVNET(inputs)))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "relu", "linear"])
def test_before_activation_gives_the_linear_output(activation: str) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, activation=activation)(inputs))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    linear = keras.Model(inputs, before_activation(model.layers[-1]))(x)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(linear, x @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(keras.activations.get(activation)(linear), model(x), rtol=1e-6, atol=6e-8)


def test_an_activation_of_its_own_is_passed_over() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(3, name="logits")(inputs)))
    assert before_activation(model.layers[-1]) is model.get_layer("logits").output
