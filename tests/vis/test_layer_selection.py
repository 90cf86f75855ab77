import re

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import before_activation, flatten
from convscope.models import pretrained, small_convnet
from convscope.models.applications import application
from convscope.models.head import Head
from convscope.vis.layer_selection import last_maps, select, spread

CONVNET = small_convnet.build(3, input_size=60, widths=(2, 3, 4))


def paths(layers: list) -> list[str]:
    return [layer.path for layer in layers]


def test_paths_and_globs_select_layers_in_graph_order() -> None:
    graph = flatten(CONVNET)
    layers = graph.layers
    assert paths(select(layers, ["conv2d_3", "max_*_1", "conv2d_3"])) == ["max_pooling2d_1", "conv2d_3"]


def test_an_unknown_layer_lists_similar_names() -> None:
    graph = flatten(CONVNET)
    with pytest.raises(ConvscopeError, match=r"no layer 'conv2d_9': did you mean conv2d_"):
        select(graph.layers, ["conv2d_9"])


def nested() -> keras.Model:
    inner = small_convnet.build(3, input_size=60, widths=(2, 3, 4))
    trunk = keras.Model(inner.inputs[0], inner.get_layer("max_pooling2d_3").output, name="trunk")
    inputs = keras.Input((60, 60, 3), name="pixels")
    x = keras.layers.Conv2D(3, 1, name="adapt")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(trunk(x))
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="out")(x))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("trunk/conv2d_2", ["trunk/conv2d_2"]),
        ("conv2d_2", ["trunk/conv2d_2"]),
        ("conv2d_*", ["trunk/conv2d_1", "trunk/conv2d_2", "trunk/conv2d_3"]),
        ("trunk/*_1", ["trunk/conv2d_1", "trunk/max_pooling2d_1"]),
        ("type:Dense", ["out"]),
        ("type:Conv2D", ["adapt", "trunk/conv2d_1", "trunk/conv2d_2", "trunk/conv2d_3"]),
        ("2", ["trunk/conv2d_1"]),
        ("-1", ["out"]),
        (":2", ["pixels", "adapt"]),
        ("-2:", ["pool", "out"]),
        ("1:6:2", ["adapt", "trunk/max_pooling2d_1", "trunk/max_pooling2d_2"]),
        ("last_conv", ["trunk/conv2d_3"]),
        ("every:3", ["adapt", "trunk/conv2d_2", "trunk/max_pooling2d_3"]),
    ],
)
def test_patterns_select_layers(pattern: str, expected: list[str]) -> None:
    """The list: pixels, adapt, trunk/(conv2d_1, max_pooling2d_1, … 3), pool, out.

    Seven have maps, adapt and those of the trunk; each third from the last back is the 7th, 4th and 1st.
    """
    layers = flatten(nested()).layers
    assert paths(select(layers, [pattern])) == paths(select(layers, pattern)) == expected


def test_layers_that_cannot_be_drawn_are_skipped_unless_named() -> None:
    layers = flatten(nested()).layers
    assert paths(select(layers, ["-3:"], drawable=True)) == ["trunk/max_pooling2d_3", "out"]
    assert paths(select(layers, ["*o*"], drawable=True))[-2:] == ["trunk/max_pooling2d_3", "out"]
    assert paths(select(layers, ["pool"], drawable=True)) == ["pool"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("trunk/conv2d_9", "no layer 'trunk/conv2d_9': did you mean trunk/conv2d_"),
        ("type:Conv3D", "no type of layer 'Conv3D': did you mean Conv2D"),
        ("99", "no layer 99: expected an index from -10 to 9"),
        ("50:", "no layer in the slice '50:': expected indices from 0 to 9"),
        ("-:5", "no layer '-:5'"),
    ],
)
def test_a_pattern_without_match_lists_what_is_expected(pattern: str, said: str) -> None:
    with pytest.raises(ConvscopeError, match=re.escape(said)):
        select(flatten(nested()).layers, [pattern])


def test_four_layers_are_spread_over_the_depth() -> None:
    graph = flatten(CONVNET)
    layers = graph.layers
    assert paths(spread(layers, 4)) == ["conv2d_1", "conv2d_2", "conv2d_3"]
    assert paths(spread(layers, 2)) == ["conv2d_1", "conv2d_3"]


def test_the_last_maps_are_before_pooling_and_head() -> None:
    graph = flatten(CONVNET)
    assert last_maps(graph.layers).path == "conv2d_3"
    inception = pretrained.from_application(
        application("InceptionV3"), 2, input_size=107, weights=None, head=Head()
    )
    assert last_maps(flatten(inception).layers).path == "mixed10"


def test_dropout_after_the_last_convolution_is_skipped() -> None:
    inputs = keras.Input((9, 9, 3))
    x = keras.layers.Conv2D(2, 3, name="wanted")(inputs)
    x = keras.layers.Dropout(0.5)(keras.layers.MaxPooling2D()(x))
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(x))
    assert last_maps(flatten(keras.Model(inputs, outputs)).layers).path == "wanted"


@pytest.mark.parametrize("side", [9, None])
def test_the_last_maps_are_before_a_convolution_of_pooled_values(side: int | None) -> None:
    inputs = keras.Input((side, side, 3))
    x = keras.layers.Conv2D(4, 3, name="wanted")(inputs)
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 1, name="scores")(x))
    assert last_maps(flatten(keras.Model(inputs, x)).layers).path == "wanted"


def test_a_single_position_is_enough_if_there_are_no_other_maps() -> None:
    inputs = keras.Input((3, 3, 3))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, name="wanted")(inputs))
    assert last_maps(flatten(keras.Model(inputs, x)).layers).path == "wanted"


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "relu", "linear"])
def test_before_activation_gives_the_linear_output(activation: str) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, activation=activation)(inputs))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    linear = keras.Model(inputs, before_activation(model.outputs[0]))(x)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(linear, x @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(keras.activations.get(activation)(linear), model(x), rtol=1e-6, atol=6e-8)


def test_one_model_has_the_linear_outputs_of_all_calls_of_a_layer() -> None:
    inputs = keras.Input((4,))
    dense = keras.layers.Dense(4, activation="relu")
    first = dense(inputs)
    linear = keras.Model(inputs, [before_activation(one) for one in (first, dense(first), first)])
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    of_first, of_second, again = linear(x)
    kernel, bias = dense.get_weights()
    np.testing.assert_allclose(of_first, x @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_second, np.maximum(of_first, 0) @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(again, of_first)


def test_before_activation_skips_an_activation_layer() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(3, name="logits")(inputs)))
    assert before_activation(model.outputs[0]) is model.get_layer("logits").output
