from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from convscope.data.augment import AffineParams, Ranges, apply, fast_augmentation, sample
from convscope.data.augment_keras import image_data_generator, keras_augmentation

ALL = Ranges(
    rotation_range=40,
    width_shift_range=0.2,
    height_shift_range=0.3,
    shear_range=15,
    zoom_range=0.3,
    brightness_range=(0.6, 1.4),
    channel_shift_range=40,
    horizontal_flip=True,
    vertical_flip=True,
    cval=77,
)
ONE = {
    name: Ranges(**{name: getattr(ALL, name)}, cval=77)
    for name in asdict(ALL)
    if name not in ("fill_mode", "cval")
}
FILL_MODES = ("nearest", "reflect", "wrap", "constant")
SHAPES = ((64, 64, 3), (65, 65, 3), (47, 80, 3), (80, 47, 1), (63, 64, 1))


def noise(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", [*ONE, "all"])
def test_the_engines_agree_within_a_grey_level_on_noise(
    name: str, shape: tuple[int, int, int], fill_mode: str
) -> None:
    ranges = replace(ONE.get(name, ALL), fill_mode=fill_mode)
    pixels = noise(shape)
    for seed in range(4):
        params = sample(ranges, *shape[:2], seed)
        ours = apply(pixels, params, ranges.fill_mode, ranges.cval).astype(float)
        theirs = image_data_generator(ranges).apply_transform(pixels.astype(np.float32), asdict(params))
        theirs = np.clip(theirs, 0, 255)
        assert ours.shape == shape
        assert (np.abs(ours - theirs) <= 1).mean() >= 0.99


@given(st.integers(0, 2**32 - 1), st.sampled_from([*ONE.values(), ALL, replace(ALL, zoom_range=(0.5, 2.0))]))
def test_sampled_values_equal_those_of_imagedatagenerator(seed: int, ranges: Ranges) -> None:
    parameters = asdict(ranges) | {
        "zoom_range": ranges.zoom,
        "brightness_range": ranges.brightness_range or None,
    }
    expected = ImageDataGenerator(**parameters).get_random_transform((50, 70, 3), seed=seed)
    assert asdict(sample(ranges, 50, 70, seed)) == pytest.approx(expected)


def test_a_shift_of_one_or_more_is_in_pixels() -> None:
    ranges = Ranges(width_shift_range=10.0)
    expected = ImageDataGenerator(width_shift_range=10.0).get_random_transform((50, 70, 3), seed=3)
    assert sample(ranges, 50, 70, 3).ty == pytest.approx(expected["ty"])
    assert 1 < abs(expected["ty"]) < 10


def test_shifts_rotations_and_flips_equal_pictures_made_by_hand() -> None:
    picture = np.arange(9, dtype=np.uint8).reshape(3, 3, 1)
    right = apply(picture, AffineParams(tx=1), "constant", 99)[..., 0]
    assert right.tolist() == [[1, 2, 99], [4, 5, 99], [7, 8, 99]]
    above = apply(picture, AffineParams(ty=-1), "nearest")[..., 0]
    assert above.tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    turned = apply(picture, AffineParams(theta=90))[..., 0]
    assert turned.tolist() in (np.rot90(picture[..., 0]).tolist(), np.rot90(picture[..., 0], -1).tolist())
    both = apply(picture, AffineParams(flip_horizontal=True, flip_vertical=True))[..., 0]
    assert both.tolist() == picture[::-1, ::-1, 0].tolist()
    assert apply(picture, AffineParams(brightness=2.0))[..., 0].tolist() == (2 * picture[..., 0]).tolist()
    shifted = apply(picture, AffineParams(channel_shift_intensity=3.0))[..., 0]
    assert shifted.tolist() == [[3, 4, 5], [6, 7, 8], [8, 8, 8]]


@pytest.mark.parametrize("engine", [fast_augmentation, keras_augmentation])
def test_the_same_seed_gives_the_same_result_and_keeps_the_input(engine: object) -> None:
    augment, pixels = engine(ALL), noise((40, 40, 3))
    before = pixels.copy()
    first = augment(pixels, 5)
    np.testing.assert_array_equal(first, augment(pixels, 5))
    assert not np.array_equal(first, augment(pixels, 6))
    np.testing.assert_array_equal(pixels, before)
    assert 0 <= first.min() <= first.max() <= 255


@pytest.mark.parametrize("engine", [fast_augmentation, keras_augmentation])
def test_identity_ranges_give_no_augmentation(engine: object) -> None:
    assert engine(Ranges(fill_mode="wrap")) is None
    assert engine(Ranges(zoom_range=[1.0, 1.0])) is None
