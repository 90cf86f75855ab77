from dataclasses import replace

import keras
import numpy as np
import pytest

from convscope.data.dataset_statistics import channel_moments
from convscope.errors import ConvscopeError
from convscope.preprocessing import PREPROCESSINGS, Preprocessing, by_name

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_decode_is_the_inverse_of_encode(name: str) -> None:
    ours = by_name(name)
    np.testing.assert_allclose(ours.decode(ours.encode(PIXELS)), PIXELS, atol=1e-3)
    assert ours.encode(PIXELS).dtype == np.float32


@pytest.mark.parametrize(
    ("name", "module"), [("minus_one_to_one", "inception_v3"), ("caffe", "vgg16"), ("torch", "densenet")]
)
def test_values_are_those_of_keras(name: str, module: str) -> None:
    expected = getattr(keras.applications, module).preprocess_input(PIXELS.copy())
    np.testing.assert_allclose(by_name(name).encode(PIXELS), expected, atol=1e-5)


def test_unit_range_by_hand() -> None:
    pixels = np.array([[0, 51, 255]], np.float32)
    np.testing.assert_allclose(by_name("unit_range").encode(pixels), [[0, 0.2, 1]], rtol=1e-6)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_the_names_of_the_channels_are_in_the_order_of_the_values(name: str) -> None:
    preprocessing = by_name(name)
    names = preprocessing.channel_names
    assert len(names) == preprocessing.channels
    for color, pixels in zip(("red", "green", "blue"), 255 * np.eye(3, dtype=np.float32), strict=True):
        change = preprocessing.encode(pixels) - preprocessing.encode(np.zeros(3, np.float32))
        assert names[int(change.argmax())] == color
    assert replace(preprocessing, order="grey").channel_names == ["grey"]


def test_tensors_and_arrays_give_the_same_values() -> None:
    tensor = keras.ops.convert_to_tensor(PIXELS)
    np.testing.assert_array_equal(by_name("caffe").encode(tensor), by_name("caffe").encode(PIXELS))


def test_json_round_trip() -> None:
    for preprocessing in PREPROCESSINGS.values():
        assert Preprocessing.from_json(preprocessing.to_json()) == preprocessing


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"name": "x", "order": "rgb", "scale": [1, 1], "offset": [0, 0, 0]},
        {"name": "x", "order": "grb", "scale": [1, 1, 1], "offset": [0, 0, 0]},
        {"name": "x", "order": "rgb", "scale": [1, 0, 1], "offset": [0, 0, 0]},
        {"name": "x", "order": "rgb", "scale": [1, 1, 1], "offset": [0, float("inf"), 0]},
    ],
)
def test_malformed_json_is_refused(content: object) -> None:
    with pytest.raises(ConvscopeError, match="malformed preprocessing"):
        Preprocessing.from_json(content)


def test_unknown_name_lists_similar_ones() -> None:
    with pytest.raises(ConvscopeError, match="did you mean unit_range"):
        by_name("unit_rang")


@pytest.mark.parametrize("flags", [(True, False), (True, True)])
def test_samplewise_normalization_is_that_of_image_data_generator(flags: tuple[bool, bool]) -> None:
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rescale=1 / 255, samplewise_center=flags[0], samplewise_std_normalization=flags[1]
    )
    pictures = np.random.default_rng(1).uniform(0, 255, (2, 5, 7, 3)).astype(np.float32)
    ours = replace(by_name("unit_range"), samplewise_center=True, samplewise_std=flags[1])
    for index, encoded in enumerate(ours.encode(pictures)):
        np.testing.assert_allclose(encoded, generator.standardize(pictures[index].copy()), atol=1e-5)
        np.testing.assert_allclose(ours.encode(pictures[index]), encoded, atol=1e-6)
    tensor = ours.encode(keras.ops.convert_to_tensor(pictures))
    np.testing.assert_allclose(tensor, ours.encode(pictures), atol=1e-5)
    assert Preprocessing.from_json(ours.to_json()) == ours
    with pytest.raises(ConvscopeError, match="cannot be inverted"):
        ours.decode(pictures)


@pytest.mark.parametrize("flags", [(True, False), (True, True)])
def test_featurewise_normalization_is_that_of_image_data_generator_and_invertible(
    flags: tuple[bool, bool],
) -> None:
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    pictures = np.random.default_rng(1).uniform(0, 255, (9, 5, 7, 3)).astype(np.float32)
    pictures[..., 1] /= 3
    generator = ImageDataGenerator(featurewise_center=flags[0], featurewise_std_normalization=flags[1])
    generator.fit(pictures / 255)
    mean, deviation = channel_moments(pictures[start : start + 4] / 255 for start in (0, 4, 8))
    ours = by_name("unit_range").featurewise(mean, deviation if flags[1] else None)
    expected = generator.standardize(pictures[3] / 255)
    np.testing.assert_allclose(ours.encode(pictures)[3], expected, atol=1e-4)
    np.testing.assert_allclose(ours.decode(ours.encode(pictures)), pictures, atol=1e-2)
