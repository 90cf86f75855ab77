import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import convscope
from convscope.errors import ConvscopeError
from convscope.images import resize, save_png

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)


def network(activation: str = "softmax", units: int = 2) -> keras.Model:
    inner = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3, name="maps")], name="trunk")
    inputs = keras.Input((16, 16, 3), name="pixels")
    x = keras.layers.GlobalAveragePooling2D(name="mean")(inner(inputs))
    return keras.Model(inputs, keras.layers.Dense(units, activation=activation, name="out")(x))


def opened(model: keras.Model) -> convscope.OpenModel:
    return convscope.open_model(model, preprocessing="unit_range", class_names=["a", "b"])


def test_activations_and_predictions_are_the_models_for_paths_and_arrays(tmp_path: Path) -> None:
    model = network()
    save_png(tmp_path / "x.png", PIXELS)
    inputs = (resize(PIXELS, 16, 16) / np.float32(255))[None].repeat(2, axis=0)
    ours = opened(model)
    photographs = [tmp_path / "x.png", PIXELS]
    np.testing.assert_allclose(ours.predict(photographs), model.predict_on_batch(inputs), rtol=1e-5)
    found = ours.activations(photographs, ["type:Conv2D", "mean"])
    assert list(found) == ["trunk/maps", "mean"]
    expected = model.get_layer("trunk").predict_on_batch(inputs)
    np.testing.assert_allclose(found["trunk/maps"], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["mean"], expected.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_a_file_opens_as_from_memory_and_a_sigmoid_has_two_classes(tmp_path: Path) -> None:
    model = network("sigmoid", 1)
    model.save(tmp_path / "m.keras")
    ours = convscope.open_model(tmp_path / "m.keras", preprocessing="unit_range", class_names=["a", "b"])
    np.testing.assert_array_equal(ours.predict([PIXELS]), opened(model).predict([PIXELS]))
    assert ours.predict([PIXELS]).sum() == pytest.approx(1)


def test_a_grid_is_a_picture_with_every_channel() -> None:
    maps = opened(network()).activations([PIXELS], ["maps"])["trunk/maps"][0]
    for normalize in ("channel", "layer"):
        picture = convscope.grid(maps, title="maps", normalize=normalize)
        assert picture.mode == "RGB"
        assert picture.width > 4 * 84
    with pytest.raises(ConvscopeError, match="expected channel or layer"):
        convscope.grid(maps, normalize="own")
    with pytest.raises(ConvscopeError, match="expected those of one photograph"):
        convscope.grid(maps[None])


def test_what_is_no_photograph_is_refused() -> None:
    with pytest.raises(ConvscopeError, match=r"float64 \(30, 40, 3\): expected uint8"):
        opened(network()).predict([PIXELS / 255])


def test_importing_convscope_imports_no_keras() -> None:
    code = "import convscope, sys; print({'keras', 'tensorflow'} & set(sys.modules)); convscope.nothing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()"
    assert "has no attribute 'nothing'" in done.stderr
