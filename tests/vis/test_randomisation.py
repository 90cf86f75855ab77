"""Randomised networks, and whether maps change."""

import keras
import numpy as np
import pytest

from convscope.graph import flatten
from convscope.vis.class_activation.methods import ClassActivation
from convscope.vis.class_activation.targets import of_class
from convscope.vis.faithfulness.randomisation import (
    complexity_change,
    entropy,
    replaced,
    similarity,
    stages,
)
from convscope.vis.layer_selection import last_maps


def network() -> keras.Model:
    """Two convolutions with batch normalization and dropout, and a dense layer; its weights are large.

    Five layers have weights that training changes. The dropout layers have only a seed.
    """
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((8, 8, 3))
    for width in (4, 6):
        x = keras.layers.Conv2D(width, 3, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Dropout(0.5)(keras.layers.ReLU()(x))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x))
    model = flatten(keras.Model(inputs, outputs)).model
    model.set_weights([weights + 5 for weights in model.get_weights()])
    return model


def batch() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (16, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("top_down", [True, False])
def test_stages_randomise_one_more_layer_each(top_down: bool) -> None:
    """The order of the weights is: kernel, bias, then gamma, beta, mean, variance, ..., kernel, bias."""
    model, before = network(), network().get_weights()
    found = list(stages(model, batch(), top_down=top_down, seed=0))
    assert [stage.layers for stage in found] == [1, 2, 3, 4, 5]
    kernels = [[0, 2, 6, 8, 12], [12, 8, 6, 2, 0]][top_down]
    for stage in found:
        changed = [not np.array_equal(stage.weights[index], before[index]) for index in kernels]
        assert changed == [index < stage.layers for index in range(5)]
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_weights_come_from_the_initializers() -> None:
    *_, last = stages(network(), batch(), top_down=True, seed=0)
    kernel, bias, gamma, beta = last.weights[:4]
    assert np.abs(kernel).max() <= np.sqrt(6 / (27 + 36)) < 1  # glorot_uniform of 3x3x3 to 3x3x4
    np.testing.assert_array_equal((bias, beta, gamma - 1), np.zeros((3, 4)))


def test_batch_normalization_is_recalibrated_behind_the_first_random_layer() -> None:
    model = network()
    first, *_ = stages(model, batch(), top_down=True, seed=0)
    for one, other in zip(first.weights[:-2], model.get_weights(), strict=False):
        np.testing.assert_array_equal(one, other)  # only the dense layer is random: nothing is behind it
    *_, last = stages(model, batch(), top_down=False, seed=0)
    model.set_weights(last.weights)
    normalized = keras.Model(model.inputs, [model.layers[2].output, model.layers[6].output])
    for values in normalized.predict_on_batch(batch()):  # dropout is switched off, in both passes
        np.testing.assert_allclose(values.mean(axis=(0, 1, 2)), 0, atol=1e-4)
        np.testing.assert_allclose(values.std(axis=(0, 1, 2)), 1, atol=0.02)


def test_grad_cam_changes_and_the_weights_are_restored() -> None:
    model, inputs = network(), batch()
    graph = flatten(model)
    weights = [np.random.default_rng(i).normal(0, 1, w.shape) ** 2 for i, w in enumerate(model.get_weights())]
    graph.model.set_weights(weights)
    activation = ClassActivation(graph.model, [last_maps(graph.layers)])
    targets = np.repeat(of_class(0, 3)[None], len(inputs), axis=0)
    before = [heatmap.heat for heatmap in activation(inputs, targets)]
    *_, last = stages(graph.model, inputs, top_down=True, seed=0)
    with replaced(graph.model):
        graph.model.set_weights(last.weights)
        after = [heatmap.heat for heatmap in activation(inputs, targets)]
    assert similarity(before, after).mean() < 0.5
    np.testing.assert_allclose(similarity(before, before), 1)
    again = [heatmap.heat for heatmap in activation(inputs, targets)]
    np.testing.assert_array_equal(before, again)


def test_entropy_and_its_change_by_hand() -> None:
    """Two values of equal share have the entropy log 2, four have log 4."""
    two, four = np.array([[0, 1], [1, 0]]), np.array([[0, 1], [2, 3]])
    assert (entropy(two), entropy(four)) == pytest.approx((np.log(2), np.log(4)))
    assert complexity_change(two, four) == pytest.approx(1)
    assert np.isnan(complexity_change(np.ones((2, 2)), four))
