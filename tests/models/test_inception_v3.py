from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.models import inception_v3

WEIGHTS = "weights/inception_v3_notop_unit_range.weights.h5"


def test_its_layers_have_keras_names_however_often_it_is_built() -> None:
    keras.layers.Conv2D(1, 1)  # counts Keras' automatic names up
    first, second = (inception_v3.build(5, weights=None, input_size=75) for _ in range(2))
    names = [layer.name for layer in first.layers]
    assert names == [layer.name for layer in second.layers]
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in first.layers) == 94
    assert first.get_layer("conv2d").kernel.shape == (3, 3, 3, 32)
    assert first.get_layer("conv2d_4").kernel.shape == (3, 3, 80, 192)
    assert first.get_layer("conv2d_93").kernel.shape == (1, 1, 2048, 192)
    assert {"mixed0", "mixed10", "activation_93"} <= set(names)
    assert not any(isinstance(layer, keras.Model) for layer in first.layers)


def test_its_head_is_the_flowers_projects() -> None:
    head = inception_v3.build(5, weights=None, input_size=75).layers[-4:]
    assert [type(layer).__name__ for layer in head] == ["GlobalAveragePooling2D", "Dense", "Dropout", "Dense"]
    assert (head[1].units, head[2].rate, head[3].units) == (256, 0.1, 5)


def test_weights_from_a_file_are_the_trunks(shared: Path) -> None:
    model = inception_v3.build(5, weights=str(shared / WEIGHTS))
    trunk = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(299, 299, 3))
    trunk.load_weights(shared / WEIGHTS)
    x = np.random.default_rng(0).uniform(0, 1, (1, 299, 299, 3)).astype(np.float32)
    ours = keras.Model(model.inputs[0], model.get_layer("mixed10").output)(x)
    np.testing.assert_array_equal(ours, trunk(x))


def test_weights_that_do_not_fit_are_one_line(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"does not fit InceptionV3") as error:
        inception_v3.build(5, weights=str(shared / "weights/vgg16_notop_edges.weights.h5"))
    assert "\n" not in str(error.value)
    with pytest.raises(ConvscopeError, match="no weights at"):
        inception_v3.build(5, weights=str(tmp_path / "none.weights.h5"))
