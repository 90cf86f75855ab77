"""Class activation beside tf-keras-vis 0.8.7, on the same model, picture and class."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.layercam import Layercam
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.utils.scores import CategoricalScore

from convscope.graph import Graph, before_activation, flatten
from convscope.models.load import load_model
from convscope.vis.class_activation import at_input
from convscope.vis.class_activation.methods import ClassActivation
from convscope.vis.class_activation.targets import of_class
from convscope.vis.layer_selection import last_maps

CLASS = 1


def with_flatten() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 3, activation="relu")(inputs)
    x = keras.layers.Conv2D(5, 3, strides=2, activation="relu")(x)
    x = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def with_pooling() -> keras.Model:
    return keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), classes=4)


def nested() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    trunk = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(6, 3, activation="relu"), keras.layers.Conv2D(5, 3)]
    )
    x = keras.layers.GlobalMaxPooling2D()(trunk(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture(scope="module", params=[with_flatten, with_pooling, nested])
def case(request: pytest.FixtureRequest) -> tuple[Graph, np.ndarray]:
    """A flat model and a picture."""
    keras.utils.set_random_seed(3)
    graph = flatten(request.param())
    picture = np.random.default_rng(0).uniform(-1, 1, (1, *graph.model.input_shape[1:])).astype(np.float32)
    return graph, picture


def ours(graph: Graph, method: str, picture: np.ndarray) -> np.ndarray:
    target = of_class(CLASS, graph.model.output_shape[-1])
    (result,) = ClassActivation(graph.model, [last_maps(graph.layers)], method)(picture, target[None])
    return result.heat


def assert_equal_to(reference: np.ndarray, heat: np.ndarray) -> None:
    assert reference.max() > 0
    np.testing.assert_allclose(heat, reference, atol=1e-5 * reference.max())


def logits_of(model: keras.Model) -> keras.Model:
    return keras.Model(model.inputs[0], before_activation(model.outputs[0]))


@pytest.mark.parametrize(("method", "reference"), [("grad_cam", Gradcam), ("layer_cam", Layercam)])
def test_methods_at_maps_equal_those_of_tf_keras_vis_before_enlargement(
    case: tuple[Graph, np.ndarray], method: str, reference: Callable
) -> None:
    graph, picture = case
    expected = reference(logits_of(graph.model), clone=False)(
        CategoricalScore(CLASS),
        picture,
        penultimate_layer=last_maps(graph.layers).keras_layer,
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )
    assert_equal_to(np.asarray(expected)[0], ours(graph, method, picture))


def test_the_gradient_equals_that_of_tf_keras_vis(case: tuple[Graph, np.ndarray]) -> None:
    graph, picture = case
    expected = Saliency(logits_of(graph.model), clone=False)(
        CategoricalScore(CLASS), picture, gradient_modifier=np.abs, normalize_map=False
    )
    assert_equal_to(np.asarray(expected)[0], ours(graph, "gradient", picture))


def test_smooth_gradient_equals_that_of_tf_keras_vis_with_the_same_noise(
    case: tuple[Graph, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, picture = case
    monkeypatch.setattr(at_input, "SAMPLES", 4)
    rng = np.random.default_rng(0)
    noise = np.stack([rng.normal(0, 1, picture.shape[1:]) for _ in range(at_input.SAMPLES)])[:, None]
    monkeypatch.setattr(np.random, "normal", lambda mean, sigma, shape: noise * np.asarray(sigma))
    expected = Saliency(logits_of(graph.model), clone=False)(
        CategoricalScore(CLASS),
        picture,
        smooth_samples=at_input.SAMPLES,
        smooth_noise=at_input.NOISE,
        gradient_modifier=np.abs,
        normalize_map=False,
    )
    assert_equal_to(np.asarray(expected)[0], ours(graph, "smooth_gradient", picture))


def test_grad_cam_of_a_nested_model_equals_that_of_the_inner_graph() -> None:
    """Max pooling passes the gradient to one position: the mean is the dense weight over all positions."""
    keras.utils.set_random_seed(3)
    model = nested()
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    trunk, dense = model.layers[1], model.layers[-1]
    maps = np.asarray(trunk(picture), np.float64)[0]
    weights = np.asarray(dense.kernel, np.float64)[:, CLASS] / maps[..., 0].size
    assert_equal_to(np.maximum(maps @ weights, 0), ours(flatten(model), "grad_cam", picture))


def test_grad_cam_of_efficientnet_equals_that_of_tf_keras_vis(shared: Path) -> None:
    model = load_model(shared / "weights/efficientnet_lite0_imagenet.keras")
    graph = flatten(model)
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    expected = Gradcam(logits_of(graph.model), clone=False)(
        CategoricalScore(CLASS),
        picture,
        penultimate_layer=last_maps(graph.layers).keras_layer,
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )
    assert_equal_to(np.asarray(expected)[0], ours(graph, "grad_cam", picture))
