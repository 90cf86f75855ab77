"""Methods of class activation at the input: gradients and perturbations."""

import keras
import numpy as np
import pytest

from convscope.graph import flatten
from convscope.images import stretch
from convscope.vis.class_activation import at_input, perturbation
from convscope.vis.class_activation.cut_model import CutModel
from convscope.vis.class_activation.methods import ClassActivation
from convscope.vis.class_activation.targets import of_class
from convscope.vis.layer_selection import last_maps
from tests.vis.nets import classifier, photograph

SIDE = 14


def linear_net(weights: np.ndarray) -> CutModel:
    """A network whose only logit is the sum of its input times `weights`, (height, width, channels)."""
    inputs = keras.Input(weights.shape)
    maps = keras.layers.Conv2D(3, 1, use_bias=False, name="maps")(inputs)
    outputs = keras.layers.Dense(2, activation="softmax", name="out")(keras.layers.Flatten()(maps))
    model = keras.Model(inputs, outputs)
    model.get_layer("maps").set_weights([np.eye(3, dtype=np.float32)[None, None]])
    kernel = np.stack([weights.ravel(), np.zeros(weights.size)], axis=1)
    model.get_layer("out").set_weights([kernel, np.array([0.5, 0.0])])
    graph = flatten(model)
    return CutModel(graph.model, last_maps(graph.layers))


def curved_net() -> CutModel:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE, SIDE, 3))
    maps = keras.layers.Conv2D(4, 3, activation="tanh")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    graph = flatten(keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(pooled)))
    return CutModel(graph.model, last_maps(graph.layers))


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def test_gradients_of_a_linear_net_are_its_weights() -> None:
    weights, pictures = random(0, SIDE, SIDE, 3), random(1, 2, SIDE, SIDE, 3)
    cut, targets = linear_net(weights), of_class(0, 2)[None].repeat(2, axis=0)
    heat, logits = at_input.gradient(cut, pictures, targets, 0)
    np.testing.assert_allclose(heat, np.abs(weights).max(axis=-1)[None].repeat(2, axis=0), rtol=1e-6)
    np.testing.assert_allclose(logits[:, 0], (pictures * weights).sum(axis=(1, 2, 3)) + 0.5, rtol=1e-5)
    smooth, _ = at_input.smooth_gradient(cut, pictures, targets, 0)
    np.testing.assert_allclose(smooth, heat, rtol=1e-6)
    contributions = (weights * (pictures - pictures.mean(axis=(1, 2), keepdims=True))).sum(axis=-1)
    for method in (at_input.gradient_times_input, at_input.integrated_gradients):
        heat, _ = method(cut, pictures, targets, 0)
        np.testing.assert_allclose(heat, contributions, atol=1e-5)


def test_smooth_gradient_is_the_mean_over_the_same_noise() -> None:
    cut, picture, target = curved_net(), random(1, 1, SIDE, SIDE, 3), of_class(1, 3)[None]
    rng = np.random.default_rng(5)
    expected = np.zeros((1, SIDE, SIDE, 3))
    for _ in range(at_input.SAMPLES):
        noisy = picture + rng.normal(0, 1, (SIDE, SIDE, 3)) * 0.15 * (picture.max() - picture.min())
        expected += np.abs(cut.at_input(noisy.astype(np.float32), target)[0]) / at_input.SAMPLES
    heat, _ = at_input.smooth_gradient(cut, picture, target, 5)
    np.testing.assert_allclose(heat, expected.max(axis=-1), rtol=1e-6)
    two, _ = at_input.smooth_gradient(cut, picture.repeat(2, axis=0), target.repeat(2, axis=0), 5)
    np.testing.assert_allclose(two[1], heat[0], rtol=1e-4, atol=1e-7)  # does not depend on the batch


def test_integrated_gradients_are_complete_and_zero_where_nothing_differs_from_the_baseline() -> None:
    cut, pictures = curved_net(), random(1, 2, SIDE, SIDE, 3)
    pictures[1, :, 7:] -= pictures[1, :, 7:].mean(axis=(0, 1))
    pictures[1, :, :7] = 0  # the mean colour of the whole picture
    targets = of_class(1, 3)[None].repeat(2, axis=0)
    heat, _ = at_input.integrated_gradients(cut, pictures, targets, 0)
    assert (at_input.completeness_error(cut, pictures, targets, heat) < 1e-3).all()
    difference = cut.logits(pictures)[:, 1] - cut.logits(at_input.baseline(pictures))[:, 1]
    np.testing.assert_allclose(heat.sum(axis=(1, 2)), difference, rtol=1e-3)
    assert np.abs(heat[1, :, :7]).max() < 1e-6 < np.abs(heat[1, :, 7:]).max()
    wrong = at_input.completeness_error(cut, pictures, targets, 2 * heat)
    np.testing.assert_allclose(wrong, 1, rtol=1e-2)


def test_occlusion_of_a_linear_net_is_the_mean_contribution_of_the_covering_squares() -> None:
    weights, picture = random(0, 28, 28, 3), random(1, 1, 28, 28, 3)
    contributions = (weights * (picture[0] - picture[0].mean(axis=(0, 1)))).sum(axis=-1)
    cells = contributions.reshape(14, 2, 14, 2).sum(axis=(1, 3))
    padded = np.pad(cells, 1)
    squares = np.lib.stride_tricks.sliding_window_view(padded, (2, 2)).sum(axis=(2, 3))  # 15 by 15
    expected = np.lib.stride_tricks.sliding_window_view(squares, (2, 2)).mean(axis=(2, 3))
    heat, logits = perturbation.occlusion(linear_net(weights), picture, of_class(0, 2)[None], 0)
    np.testing.assert_allclose(heat[0], expected, atol=1e-4)
    assert logits[0, 0] == pytest.approx(float((weights * picture).sum()) + 0.5, rel=1e-4)


def test_rise_is_highest_at_the_pixels_that_decide_and_zero_if_none_does() -> None:
    weights, picture = np.zeros((SIDE, SIDE, 3), np.float32), random(1, 1, SIDE, SIDE, 3)
    target = of_class(0, 2)[None]
    nothing, _ = perturbation.rise(linear_net(weights), picture, target, 0)
    np.testing.assert_allclose(nothing, 0, atol=1e-6)
    weights[3:5, 9:11] = np.sign(picture[0, 3:5, 9:11] - picture[0].mean(axis=(0, 1)))
    heat, _ = perturbation.rise(linear_net(weights), picture, target, 0)
    row, column = np.unravel_index(np.argmax(heat[0]), (SIDE, SIDE))
    assert 2 <= row <= 5
    assert 8 <= column <= 11
    again, _ = perturbation.rise(linear_net(weights), picture, target, 0)
    np.testing.assert_array_equal(heat, again)
    other, _ = perturbation.rise(linear_net(weights), picture, target, 1)
    assert not np.array_equal(heat, other)


def test_masks_of_rise_have_the_mean_of_their_cells() -> None:
    masks = perturbation._random_masks(np.random.default_rng(0), 20, 33)
    assert masks.shape == (perturbation.MASKS, 20, 33)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert abs(masks.mean() - perturbation.KEPT) < 0.01
    assert np.abs(masks.mean(axis=0) - perturbation.KEPT).max() < 0.06  # no position is preferred


def test_score_cam_is_the_formula_of_the_paper() -> None:
    graph = flatten(classifier(np.array([[3.0, -1.0], [-1.0, 2.0]]), "softmax"))
    layer = last_maps(graph.layers)
    maps = keras.Model(graph.model.inputs[0], layer.output).predict_on_batch(photograph())[0]
    logits = keras.Model(graph.model.inputs[0], graph.model.layers[-2].output)
    head = graph.model.layers[-1].get_weights()[0]
    scores = []
    for channel in np.moveaxis(maps, -1, 0):
        large = stretch(channel, 3, 3)
        mask = (large - large.min()) / (large.max() - large.min())
        scores.append(float((logits.predict_on_batch(photograph() * mask[..., None]) @ head)[0, 0]))
    weights = np.exp(scores) / np.exp(scores).sum()  # the score of the zero input is the same for both
    (result,) = ClassActivation(graph.model, [layer], "score_cam")(photograph(), of_class(0, 2)[None])
    np.testing.assert_allclose(result.heat, np.maximum(maps @ weights, 0), rtol=1e-5)


def test_score_cam_ignores_constant_maps() -> None:
    graph = flatten(classifier(np.array([[3.0, -1.0], [-1.0, 2.0]]), "softmax"))
    grey = np.full((1, 3, 3, 3), 0.5, np.float32)
    (result,) = ClassActivation(graph.model, [last_maps(graph.layers)], "score_cam")(
        grey, of_class(0, 2)[None]
    )
    np.testing.assert_array_equal(result.heat, np.zeros((3, 3)))
