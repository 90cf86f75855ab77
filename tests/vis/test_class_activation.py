import keras
import numpy as np

from convscope.models import small_convnet
from convscope.vis.class_activation import GradCam, relative
from convscope.vis.layers import last_maps, layers_of, select
from tests.vis.nets import classifier, photograph

RED = np.array([[2, 2, 2], [0, 0, 0], [0, 0, 0]], np.float32)  # the two maps after ReLU
BLUE = np.array([[1, 1, 5]] * 3, np.float32)


def test_grad_cam_by_hand() -> None:
    """With average pooling over 9 places the mean gradient of a logit is its weight over 9."""
    head = np.array([[3.0, -1.0], [1.0, 2.0]])
    model = classifier(head, "softmax")
    grad_cam = GradCam(model, last_maps(layers_of(model)))
    first, second = (grad_cam(photograph(), index) for index in (0, 1))
    np.testing.assert_allclose(first.heat, (3 * RED + BLUE) / 9, rtol=1e-6)
    np.testing.assert_allclose(second.heat, np.maximum(-RED + 2 * BLUE, 0) / 9, rtol=1e-6)
    assert first.score == np.float32(3 * RED.mean() + BLUE.mean())


def test_both_directions_of_a_sigmoid() -> None:
    model = classifier(np.array([[3.0], [-1.0]]), "sigmoid")
    grad_cam = GradCam(model, last_maps(layers_of(model)))
    for_one, for_zero = grad_cam(photograph(), 1), grad_cam(photograph(), 0)
    np.testing.assert_allclose(for_one.heat, np.maximum(3 * RED - BLUE, 0) / 9, rtol=1e-6)
    np.testing.assert_allclose(for_zero.heat, np.maximum(BLUE - 3 * RED, 0) / 9, rtol=1e-6)
    assert for_zero.score == -for_one.score


def test_nothing_that_speaks_for_a_class_is_zero_and_no_nan() -> None:
    model = classifier(np.array([[-1.0, 1.0], [-1.0, 1.0]]), "softmax")
    heat = GradCam(model, last_maps(layers_of(model)))(photograph(), 0).heat
    np.testing.assert_array_equal(relative(heat), np.zeros((3, 3)))


def test_it_is_the_gradient_by_finite_differences() -> None:
    keras.utils.set_random_seed(1)
    model = small_convnet.build(3, input_size=30, widths=(3, 4), units=5)
    layer = select(layers_of(model), ["conv2d_2"])[0]
    x = np.random.default_rng(0).uniform(size=(1, 30, 30, 3)).astype(np.float32)
    maps = np.asarray(keras.Model(model.inputs[0], layer.keras_layer.output)(x), np.float64)
    index = model.layers.index(layer.keras_layer)

    def logit(values: np.ndarray) -> float:
        out = keras.ops.convert_to_tensor(values.astype(np.float32))
        for later in model.layers[index + 1 : -1]:
            out = later(out, training=False) if later.name == "dropout" else later(out)
        kernel, bias = model.layers[-1].get_weights()
        return float((np.asarray(out) @ kernel + bias)[0, 2])

    step = 1e-3
    weights = np.zeros(maps.shape[-1])
    for channel in range(maps.shape[-1]):
        for row, column in np.ndindex(maps.shape[1:3]):
            shift = np.zeros_like(maps)
            shift[0, row, column, channel] = step
            weights[channel] += (logit(maps + shift) - logit(maps - shift)) / (2 * step)
    weights /= maps.shape[1] * maps.shape[2]
    expected = np.maximum(maps[0] @ weights, 0)
    heat = GradCam(model, layer)(x, 2).heat
    assert heat.max() > 0
    np.testing.assert_allclose(heat, expected, atol=0.02 * expected.max())
