import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.graph import before_activation, flatten
from convscope.vis.cam import Cam, relative
from convscope.vis.layer_selection import last_maps, select
from tests.vis.nets import classifier, photograph

RED = np.array([[2, 2, 2], [0, 0, 0], [0, 0, 0]], np.float32)  # the two maps after ReLU
BLUE = np.array([[1, 1, 5]] * 3, np.float32)


def test_grad_cam_by_hand() -> None:
    """With average pooling over 9 places the mean gradient of a logit is its weight over 9."""
    head = np.array([[3.0, -1.0], [1.0, 2.0]])
    model = classifier(head, "softmax")
    graph = flatten(model)
    grad_cam = Cam(graph.model, last_maps(graph.layers))
    first, second = (grad_cam(photograph(), index) for index in (0, 1))
    np.testing.assert_allclose(first.heat, (3 * RED + BLUE) / 9, rtol=1e-6)
    np.testing.assert_allclose(second.heat, np.maximum(-RED + 2 * BLUE, 0) / 9, rtol=1e-6)
    assert first.score == np.float32(3 * RED.mean() + BLUE.mean())


def test_grad_cam_explains_both_classes_of_a_sigmoid() -> None:
    model = classifier(np.array([[3.0], [-1.0]]), "sigmoid")
    graph = flatten(model)
    grad_cam = Cam(graph.model, last_maps(graph.layers))
    for_one, for_zero = grad_cam(photograph(), 1), grad_cam(photograph(), 0)
    np.testing.assert_allclose(for_one.heat, np.maximum(3 * RED - BLUE, 0) / 9, rtol=1e-6)
    np.testing.assert_allclose(for_zero.heat, np.maximum(BLUE - 3 * RED, 0) / 9, rtol=1e-6)
    assert for_zero.score == -for_one.score


def test_no_evidence_gives_zeros_and_no_nan() -> None:
    model = classifier(np.array([[-1.0, 1.0], [-1.0, 1.0]]), "softmax")
    graph = flatten(model)
    heat = Cam(graph.model, last_maps(graph.layers))(photograph(), 0).heat
    np.testing.assert_array_equal(relative(heat), np.zeros((3, 3)))


def test_grad_cam_agrees_with_finite_differences() -> None:
    """Behind the maps comes what has no kinks, so that a difference over a step is the derivative."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12, 12, 3))
    maps_of = keras.layers.Conv2D(4, 3, activation="relu", name="maps")(inputs)
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(2)(maps_of))
    hidden = keras.layers.Dense(5, activation="tanh")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    graph = flatten(model)
    layer = select(graph.layers, ["maps"])[0]
    picture = np.random.default_rng(0).uniform(size=(1, 12, 12, 3)).astype(np.float32)
    maps = np.asarray(keras.Model(inputs, maps_of)(picture), np.float64)
    first, first_bias, last, last_bias = (each.astype(np.float64) for each in model.get_weights()[2:])

    def logit(values: np.ndarray) -> float:
        pooled = values.reshape(1, 5, 2, 5, 2, 4).mean(axis=(2, 4)).reshape(1, -1)
        return float((np.tanh(pooled @ first + first_bias) @ last + last_bias)[0, 2])

    step = 1e-4
    weights = np.zeros(4)
    for row, column, channel in np.ndindex(10, 10, 4):
        shift = np.zeros_like(maps)
        shift[0, row, column, channel] = step
        weights[channel] += (logit(maps + shift) - logit(maps - shift)) / (2 * step) / 100
    expected = np.maximum(maps[0] @ weights, 0)
    assert expected.max() > 0
    result = Cam(graph.model, layer)(picture, 2)
    np.testing.assert_allclose(result.heat, expected, atol=1e-4 * expected.max())
    assert abs(result.score - logit(maps)) < 1e-5


def with_branches(merge: keras.layers.Layer) -> keras.Model:
    """The maps red minus green and blue plus one, then a branch with twice the first and the second.

    The branch, `inside`, is merged with the maps themselves; average pooling and a dense head follow.
    """
    trunk = classifier(np.eye(2), "linear").get_layer("maps")
    inputs = keras.Input((3, 3, 3))
    maps = trunk(inputs)
    inside = keras.layers.Conv2D(2, 1, activation="relu", name="inside")(maps)
    after = keras.layers.Conv2D(2, 1, name="after")(inside)
    merged = merge([maps, after])
    pooled = keras.layers.GlobalAveragePooling2D()(merged)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax", use_bias=False)(pooled))
    model.get_layer("inside").set_weights([np.diag([2.0, 1.0])[None, None], np.zeros(2)])
    model.get_layer("after").set_weights([np.array([[1.0, 3.0], [0.0, -1.0]])[None, None], np.zeros(2)])
    return model


@pytest.mark.parametrize("merge", [keras.layers.Add(), keras.layers.Concatenate()])
def test_a_layer_inside_of_a_branch_by_hand(merge: keras.layers.Layer) -> None:
    """The branch puts out i0 and 3 i0 - i1, where i are its maps.

    With the weights 5 and 1 of class 0 on these two, and average pooling over 9 positions, the gradient is
    (5 + 3) / 9 for the first map of `inside` and -1 / 9 for the second.
    """
    model = with_branches(merge)
    head = np.array([[5.0, 0.0], [1.0, 2.0]], np.float32)
    head = np.concatenate([np.float32([[7, 8], [9, 10]]), head])[-len(model.layers[-1].get_weights()[0]) :]
    model.layers[-1].set_weights([head])
    graph = flatten(model)
    result = Cam(graph.model, select(graph.layers, ["inside"])[0])(photograph(), 0)
    np.testing.assert_allclose(result.heat, np.maximum(8 * 2 * RED - BLUE, 0) / 9, rtol=1e-6)
    logits = keras.Model(model.inputs[0], model.layers[-2].output)(photograph()) @ head
    assert result.score == pytest.approx(float(logits[0, 0]), rel=1e-6)


def test_a_layer_inside_of_a_residual_block_has_the_gradient_of_one_model() -> None:
    """The reference differentiates a model that returns the maps and the logits in one pass."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), classes=4)
    graph = flatten(model)
    layer = select(graph.layers, ["block_5_expand_relu"])[0]
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    both = keras.Model(graph.model.inputs[0], [layer.output, before_activation(graph.model.outputs[0])])
    with tf.GradientTape() as tape:
        inputs = tf.constant(picture)
        tape.watch(inputs)
        maps, logits = both(inputs, training=False)
        logit = logits[:, 2]
    gradient = np.asarray(tape.gradient(logit, maps), np.float64)[0]
    expected = np.maximum(np.asarray(maps, np.float64)[0] @ gradient.mean(axis=(0, 1)), 0)
    result = Cam(graph.model, layer)(picture, 2)
    assert expected.max() > 0
    np.testing.assert_allclose(result.heat, expected, atol=1e-6 * expected.max())
    assert result.score == pytest.approx(float(logits[0, 2]), abs=1e-6)
