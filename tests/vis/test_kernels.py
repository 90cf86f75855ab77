import keras
import numpy as np

from convscope.graph import flatten
from convscope.vis.kernels import first_kernels, kernel_pictures


def test_kernels_by_hand() -> None:
    """A kernel that wants red and no green: red brightest, green darkest, blue in the middle."""
    kernel = np.zeros((1, 2, 3, 2), np.float32)
    kernel[0, 0, :, 0] = [4, -4, 0]
    kernel[0, 1, :, 0] = [2, 0, 0]
    pictures, largest = kernel_pictures(kernel)
    assert pictures[0, 0].tolist() == [[255, 0, 128], [191, 128, 128]]
    assert (pictures[1] == 128).all()  # a kernel of zeros is grey, and no division by zero
    assert largest.tolist() == [4, 0]
    turned, _ = kernel_pictures(kernel, order="bgr")
    assert turned[0, 0].tolist() == [[128, 0, 255], [128, 128, 191]]


def test_a_grey_kernel_is_grey() -> None:
    pictures, _ = kernel_pictures(np.array([1.0, -1.0]).reshape(1, 2, 1, 1))
    assert pictures[0, 0].tolist() == [[255, 255, 255], [0, 0, 0]]


def test_only_a_convolution_of_pixels_has_kernels_as_pictures() -> None:
    inputs = keras.Input((8, 8, 3))
    first = keras.layers.Conv2D(4, 3, name="first")(keras.layers.Rescaling(2.0)(inputs))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3)(first))
    assert first_kernels(flatten(model).layers).path == "first"
    wide = keras.Model(inputs, keras.layers.Conv2D(4, 3)(keras.layers.Concatenate()([inputs, inputs])))
    assert first_kernels(flatten(wide).layers) is None
