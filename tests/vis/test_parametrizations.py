"""Parametrizations, colours, spectra and crops of gradient ascent, by hand and by their inverses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.graph import flatten
from convscope.preprocessing import by_name
from convscope.vis.ascent.class_pictures import (
    METHODS,
    ClassPictures,
    maximize_class,
    opacity_of,
    picture_size,
)
from convscope.vis.ascent.maximize import Network
from convscope.vis.ascent.natural_images import Spectrum, measured_colors, measured_spectrum
from convscope.vis.ascent.parametrizations import Fourier, Maco
from convscope.vis.ascent.patterns import Settings
from convscope.vis.ascent.transforms import Crops
from tests.vis.nets import classifier

SIDE = 16


@pytest.fixture(scope="module")
def network() -> Network:
    """Flatten and a dense layer, which accept one size only: red, and the left half minus the right."""
    inputs = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs)))
    weights = np.zeros((SIDE, SIDE, 3, 2), np.float32)
    weights[:, :, 0, 0] = 0.05
    weights[:, : SIDE // 2, :, 1], weights[:, SIDE // 2 :, :, 1] = 0.05, -0.05
    model.set_weights([weights.reshape(-1, 2), np.zeros(2, np.float32)])
    graph = flatten(model)
    return Network(graph.model, graph.layers, by_name("unit_range"))


def pictures(network: Network, method: str, logit: int, *, steps: int = 24, seed: int = 0) -> ClassPictures:
    settings = Settings(method, picture_size(method, SIDE), steps, seed)
    return maximize_class(network, np.eye(2, dtype=np.float32)[logit], settings, input_size=SIDE, count=2)


@pytest.mark.parametrize("size", [16, 17])
def test_maco_keeps_the_magnitude(size: int) -> None:
    how = Maco(size, Spectrum())
    variable = np.random.default_rng(0).normal(0, 3, (2, 3, size, size // 2 + 1)).astype(np.float32)
    values = np.fft.irfft2(how.coefficients(variable).numpy().astype(complex), (size, size))
    magnitude = np.abs(np.fft.rfft2(values))
    expected = np.broadcast_to(how.spectrum.at(size), magnitude.shape)
    varying = np.ones(magnitude.shape[2:], bool)
    varying[0, 0] = False  # the mean is 0
    np.testing.assert_allclose(magnitude[..., varying], expected[..., varying], rtol=1e-5)
    np.testing.assert_allclose(magnitude[..., 0, 0], 0, atol=1e-9)


def test_fourier_inverts() -> None:
    rng = np.random.default_rng(0)
    how = Fourier(SIDE, contrast=None)
    picture = rng.uniform(20, 235, (SIDE, SIDE, 3))
    decoded = how.decode(how.encode(picture)[None]).numpy()[0]
    np.testing.assert_allclose(decoded, picture, atol=255 * 1e-5)
    variable = how.encode(picture)
    np.testing.assert_allclose(how.encode(decoded), variable, atol=1e-4 * np.abs(variable).max())


def test_the_colours_have_the_covariance_of_the_pictures() -> None:
    rng = np.random.default_rng(0)
    mixing = np.array([[9.0, 1, 2], [8, 3, -2], [7, -2, 4]])
    pixels = 120 + rng.normal(0, 1, (4, 50, 50, 3)) @ mixing.T
    colors = measured_colors([pixels[:1], pixels[1:]]).astype(float)
    covariance = np.cov(pixels.reshape(-1, 3), rowvar=False, bias=True)
    product = colors @ colors.T
    np.testing.assert_allclose(product / product[0, 0], covariance / covariance[0, 0], rtol=1e-5)
    assert np.linalg.norm(colors, axis=0).max() == pytest.approx(1, abs=1e-6)
    decorrelated = (pixels.reshape(-1, 3) - pixels.mean((0, 1, 2))) @ np.linalg.inv(colors).T
    correlations = np.corrcoef(decorrelated, rowvar=False)
    np.testing.assert_allclose(correlations, np.eye(3), atol=1e-5)


def test_a_single_bright_pixel_has_the_same_magnitude_at_all_frequencies() -> None:
    points = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    points[0, 3, 5], points[1, 11, 2] = (255, 0, 51), (255, 0, 153)
    spectrum = measured_spectrum([points[:1], points[1:]], np.eye(3, dtype=np.float32))
    expected = np.broadcast_to(np.array([1, 0, 0.4])[:, None, None], (3, SIDE, SIDE // 2 + 1))
    np.testing.assert_allclose(spectrum.at(SIDE), expected, atol=1e-6)
    assert spectrum.source == "2 images"
    with pytest.raises(ValueError, match="does not fit pictures of 32"):
        spectrum.at(32)


def test_the_spectrum_is_the_same_in_all_directions() -> None:
    stripes = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    stripes[:, :, ::2] = 255  # frequency 1/2 along one axis: half of 256 pixels
    magnitude = measured_spectrum([stripes], np.eye(3, dtype=np.float32)).at(SIDE)[0]
    # The ring of radius 8 has (±8, 0), (0, ±8) and others; all have the mean of the ring.
    assert magnitude[0, 8] == magnitude[8, 0] > 0
    assert magnitude[0, 0] == pytest.approx(128)
    assert magnitude[0, 4] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_crops_stay_inside(progress: float) -> None:
    white = tf.ones((2, 32, 32, 3))
    for seed in range(20):
        crops = Crops(4, SIDE, first=1.0)(white, tf.constant([seed, 0]), progress)
        assert crops.shape == (8, SIDE, SIDE, 3)
        np.testing.assert_allclose(crops, 1, atol=1e-6)  # outside is 0


def test_crops_shrink_during_the_ascent() -> None:
    ramp = tf.broadcast_to(tf.range(64, dtype=tf.float32)[None, :, None, None], (1, 64, 64, 3))

    def mean_height(progress: float) -> float:
        crops = Crops(64, 8, first=0.9, last=0.3)(ramp, tf.constant([0, 0]), progress).numpy()
        return float((crops.max((1, 2, 3)) - crops.min((1, 2, 3))).mean() / 63)

    assert mean_height(0.0) == pytest.approx(0.9, abs=0.03)
    assert mean_height(1.0) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("method", list(METHODS))
def test_the_logit_rises(network: Network, method: str) -> None:
    growth = pictures(network, method, 0).growth
    assert (growth[:, -3:].mean(1) > growth[:, :3].mean(1)).all()


def test_the_picture_shows_what_the_logit_depends_on(network: Network) -> None:
    pixels = pictures(network, "maco", 1).pixels
    assert pixels.shape == (2, 2 * SIDE, 2 * SIDE, 3)  # larger than the input that the dense layer needs
    assert (pixels[:, :, :SIDE].mean((1, 2, 3)) > pixels[:, :, SIDE:].mean((1, 2, 3)) + 5).all()


@pytest.mark.parametrize("method", list(METHODS))
def test_the_same_seed_gives_the_same_bytes(network: Network, method: str) -> None:
    first, again = (pictures(network, method, 1, steps=3) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.opacity, again.opacity)
    assert (first.pixels[0] != first.pixels[1]).any()
    assert (pictures(network, method, 1, steps=3, seed=1).pixels != first.pixels).any()


def test_both_directions_of_a_sigmoid_are_opposite() -> None:
    graph = flatten(classifier(np.array([[4.0], [-4.0]]), "sigmoid"))  # red minus green, minus blue
    network = Network(graph.model, graph.layers, by_name("unit_range"))
    settings = Settings("fourier", 8, 12)
    first, second = (
        maximize_class(network, np.array([sign], np.float32), settings, input_size=8, count=1).pixels
        for sign in (-1, 1)
    )
    assert first[..., 2].mean() > second[..., 2].mean() + 20


def test_the_opacity_is_the_clipped_gradient() -> None:
    rows = np.broadcast_to(np.arange(100, dtype=np.float32)[:, None], (100, 100))
    (opacity,) = opacity_of(2 * rows[None])
    inner = opacity[5:75, 50]
    np.testing.assert_allclose(inner, rows[5:75, 50] / np.percentile(rows, 80), rtol=1e-3)
    np.testing.assert_allclose(opacity[82:], 1)
    pixels = np.full((1, 100, 100, 3), 35, np.uint8)
    paper = ClassPictures(pixels, opacity[None], np.zeros((1, 1))).on_paper(235)
    assert paper[0, 90, 50].tolist() == [35, 35, 35]
    share = float(opacity[40, 50])
    assert paper[0, 40, 50, 0] == round(share * 35 + (1 - share) * 235)
