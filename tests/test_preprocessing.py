import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.preprocessing import PREPROCESSINGS, Preprocessing, by_name

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_decode_undoes_encode(name: str) -> None:
    each = by_name(name)
    np.testing.assert_allclose(each.decode(each.encode(PIXELS)), PIXELS, atol=1e-3)
    assert each.encode(PIXELS).dtype == np.float32


@pytest.mark.parametrize(
    ("name", "module"), [("minus_one_to_one", "inception_v3"), ("caffe", "vgg16"), ("torch", "densenet")]
)
def test_it_is_what_keras_does(name: str, module: str) -> None:
    expected = getattr(keras.applications, module).preprocess_input(PIXELS.copy())
    np.testing.assert_allclose(by_name(name).encode(PIXELS), expected, atol=1e-5)


def test_unit_range_by_hand() -> None:
    pixels = np.array([[0, 51, 255]], np.float32)
    np.testing.assert_allclose(by_name("unit_range").encode(pixels), [[0, 0.2, 1]], rtol=1e-6)


def test_tensors_and_arrays_give_the_same() -> None:
    tensor = keras.ops.convert_to_tensor(PIXELS)
    np.testing.assert_array_equal(by_name("caffe").encode(tensor), by_name("caffe").encode(PIXELS))


def test_it_survives_json() -> None:
    for each in PREPROCESSINGS.values():
        assert Preprocessing.from_json(each.to_json()) == each


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"name": "x", "order": "rgb", "scale": [1, 1], "offset": [0, 0, 0]},
        {"name": "x", "order": "grb", "scale": [1, 1, 1], "offset": [0, 0, 0]},
        {"name": "x", "order": "rgb", "scale": [1, 0, 1], "offset": [0, 0, 0]},
    ],
)
def test_malformed_json_is_refused(content: object) -> None:
    with pytest.raises(ConvscopeError, match="malformed preprocessing"):
        Preprocessing.from_json(content)


def test_an_unknown_name_lists_near_ones() -> None:
    with pytest.raises(ConvscopeError, match="did you mean unit_range"):
        by_name("unit_rang")
