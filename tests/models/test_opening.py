"""Models without `model.json`: every format of Keras, the options that they need, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.models.application_names import NAMES
from convscope.models.bundle import Contract, save_model
from convscope.models.opening import bundle_of, open_application, open_checkpoint
from convscope.models.reading import Reading
from convscope.preprocessing import by_name

PICTURES = np.random.default_rng(0).uniform(0, 1, (2, 12, 12, 3)).astype(np.float32)
SAID = Reading("unit_range", class_names=["a", "b", "c"])


def network(*, channels: int = 3, units: int = 3, activation: str | None = "softmax") -> keras.Model:
    inner_inputs = keras.Input((12, 12, channels))
    inner = keras.Model(inner_inputs, keras.layers.Conv2D(4, 3, name="maps")(inner_inputs), name="trunk")
    inputs = keras.Input((12, 12, channels), name="pixels")
    x = keras.layers.Flatten(name="flatten")(inner(inputs))
    return keras.Model(inputs, keras.layers.Dense(units, activation=activation, name="out")(x), name="net")


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5"])
def test_every_format_opens_with_its_layers_and_values(name: str, tmp_path: Path) -> None:
    model = network()
    model.save(tmp_path / name)
    bundle = open_checkpoint(tmp_path / name, SAID)
    np.testing.assert_array_equal(bundle.model(PICTURES), model(PICTURES))
    assert [layer.path for layer in bundle.layers] == ["pixels", "trunk/maps", "flatten", "out"]
    assert bundle.contract.class_names == ["a", "b", "c"]
    assert bundle.contract.input_size == (12, 12)
    kernel, bias = model.get_layer("trunk").get_layer("maps").get_weights()
    maps = keras.Model(bundle.model.inputs[0], bundle.layers[1].output)(PICTURES)
    by_hand = (PICTURES[0, 2:5, 3:6, :, None] * kernel).sum(axis=(0, 1, 2)) + bias
    np.testing.assert_allclose(maps[0, 2, 3], by_hand, rtol=1e-4, atol=1e-5)


def test_a_file_of_keras_2_opens(tmp_path: Path) -> None:
    """As Keras 2.10 wrote it: `batch_input_shape`, layers by class name, weights in groups by layer."""
    kernel = np.arange(1 * 1 * 3 * 2, dtype=np.float32).reshape(1, 1, 3, 2)
    dense = np.ones((2, 3), np.float32)
    convolution = {
        "name": "conv",
        "trainable": True,
        "batch_input_shape": [None, 12, 12, 3],
        "dtype": "float32",
    }
    convolution |= {"filters": 2, "kernel_size": [1, 1], "strides": [1, 1], "padding": "valid"}
    convolution |= {
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "groups": 1,
        "activation": "relu",
    }
    convolution |= {
        "use_bias": False,
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
    }
    pool = {
        "name": "pool",
        "trainable": True,
        "dtype": "float32",
        "data_format": "channels_last",
        "keepdims": False,
    }
    out = {"name": "out", "trainable": True, "dtype": "float32", "units": 3, "activation": "softmax"}
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 12, 12, 3], "dtype": "float32",
                                                "sparse": False, "ragged": False, "name": "conv_input"}},
        {"class_name": "Conv2D", "config": convolution},
        {"class_name": "GlobalAveragePooling2D", "config": pool},
        {"class_name": "Dense", "config": out | {"use_bias": False}},
    ]  # fmt: skip
    config = {"class_name": "Sequential", "config": {"name": "old", "layers": layers}}
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.10.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"conv", b"pool", b"out"]
        group.attrs["keras_version"], group.attrs["backend"] = "2.10.0", "tensorflow"
        for layer, weights in (
            ("conv", {"conv/kernel:0": kernel}),
            ("pool", {}),
            ("out", {"out/kernel:0": dense}),
        ):
            inner = group.create_group(layer)
            inner.attrs["weight_names"] = [name.encode() for name in weights]
            for name, values in weights.items():
                inner[name] = values
    bundle = open_checkpoint(tmp_path / "old.h5", SAID)
    assert [layer.path for layer in bundle.layers][1:] == ["conv", "pool", "out"]
    maps = keras.Model(bundle.model.inputs[0], bundle.layers[1].output)(PICTURES)
    np.testing.assert_allclose(maps, np.maximum(PICTURES @ kernel[0, 0], 0), rtol=1e-5)


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (
            Reading(class_names=["a", "b", "c"]),
            "unknown preprocessing for .*: set preprocessing=unit_range",
        ),
        (Reading("none"), r"has 3 classes, but class_names lists 0: set class_names=\[FIRST"),
        (Reading("none", class_names=["a", "b"]), "has 3 classes, but class_names lists 2"),
        (Reading("none", class_names=["a", "b", "a"]), "expected unique names"),
    ],
)
def test_missing_options_are_named(reading: Reading, said: str, tmp_path: Path) -> None:
    network().save(tmp_path / "m.keras")
    with pytest.raises(ConvscopeError, match=said):
        open_checkpoint(tmp_path / "m.keras", reading)


def test_model_of_any_size_needs_input_size(tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x)).save(tmp_path / "m.keras")
    with pytest.raises(ConvscopeError, match="set input_size=PIXELS"):
        open_checkpoint(tmp_path / "m.keras", SAID)
    sized = replace(SAID, input_size=20)
    assert open_checkpoint(tmp_path / "m.keras", sized).contract.input_size == (20, 20)


def test_grey_model_gets_the_luma_of_colours(tmp_path: Path) -> None:
    model = network(channels=1)
    model.save(tmp_path / "m.keras")
    contract = open_checkpoint(tmp_path / "m.keras", SAID).contract
    encoded = contract.preprocessing.encode(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.float32))
    np.testing.assert_allclose(encoded, [[[0.299], [0.587], [0.114]]], rtol=1e-5)
    grey = np.array([[[7, 7, 7]]], np.float32)
    np.testing.assert_allclose(
        contract.preprocessing.decode(contract.preprocessing.encode(grey)), grey, rtol=1e-5
    )
    with pytest.raises(ConvscopeError, match="has different values for red, green and blue"):
        open_checkpoint(tmp_path / "m.keras", Reading("caffe", class_names=SAID.class_names))


@pytest.mark.parametrize(("units", "classes"), [(1, ["no", "yes"]), (3, ["a", "b", "c"])])
def test_logits_become_probabilities(units: int, classes: list[str]) -> None:
    model = network(units=units, activation=None)
    bundle = bundle_of(model, Reading("none", class_names=classes), path="memory")
    logits = np.asarray(model(PICTURES), np.float64)
    expected = (
        1 / (1 + np.exp(-logits)) if units == 1 else np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    )
    np.testing.assert_allclose(bundle.model(PICTURES), expected, rtol=1e-5)
    assert len(bundle.sha256) == 64


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    """A custom layer."""

    def call(self, x: object) -> object:
        return x * 2


def lambda_model() -> keras.Model:
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Flatten()(keras.layers.Lambda(lambda x: x * 2)(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def own_layer() -> keras.Model:
    inputs = keras.Input((12, 12, 3))
    return keras.Model(
        inputs, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(Doubled()(inputs)))
    )


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_lambda_layer_is_refused_without_allow_code(name: str, tmp_path: Path) -> None:
    model = lambda_model()
    model.save(tmp_path / name)
    with pytest.raises(
        ConvscopeError, match=r"a Lambda layer, which contains code; set allow_code=true"
    ) as error:
        open_checkpoint(tmp_path / name, SAID)
    assert "\n" not in str(error.value)
    allowed = replace(SAID, allow_code=True)
    np.testing.assert_array_equal(open_checkpoint(tmp_path / name, allowed).model(PICTURES), model(PICTURES))


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_custom_class_is_refused_with_the_python_code_that_opens_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = own_layer()
    model.save(tmp_path / name)
    custom = keras.saving.get_custom_objects()
    monkeypatch.setattr(f"{__name__}.Doubled", None)  # as in a process without the class
    saved = custom.pop("tests>Doubled")
    try:
        with pytest.raises(ConvscopeError, match="it has a custom class Doubled") as error:
            open_checkpoint(tmp_path / name, SAID)
    finally:
        custom["tests>Doubled"] = saved
    assert "\n" not in str(error.value)
    assert "custom_objects={'tests>Doubled': Doubled}" in str(error.value)
    bundle = bundle_of(model, SAID, path="memory")
    np.testing.assert_array_equal(bundle.model(PICTURES), model(PICTURES))


def test_files_without_a_model_are_refused_in_one_line(tmp_path: Path) -> None:
    network().save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.h5").write_bytes((tmp_path / "m.weights.h5").read_bytes())
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    (tmp_path / "lambda").mkdir()
    (tmp_path / "lambda/broken.keras").write_bytes(b"no archive")
    (tmp_path / "m.pth").write_bytes(b"torch")
    for name, said in {
        "m.weights.h5": "has weights without a model",
        "m.h5": "has weights without a model",
        "broken.keras": "is damaged or incomplete",
        "lambda/broken.keras": "is damaged or incomplete",
        "m.pth": "is a file of PyTorch",
        "none.keras": "no checkpoint at",
    }.items():
        with pytest.raises(ConvscopeError, match=said) as error:
            open_checkpoint(tmp_path / name, SAID)
        assert "\n" not in str(error.value)
        assert "allow_code" not in str(error.value)


def test_model_without_a_picture_as_input_is_refused() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))
    with pytest.raises(ConvscopeError, match=re.escape("has the input shape (4,): expected one picture")):
        bundle_of(model, SAID, path="memory")


def test_application_has_the_classes_of_imagenet(shared: Path) -> None:
    bundle = open_application("MobileNetV2", None)
    names = json.loads((shared / "data/imagenet_classes.json").read_text())
    ours = bundle.contract.class_names
    assert [name.partition(" (")[0] for name in ours] == [name.partition(" (")[0] for name in names]
    assert len(set(ours)) == 1000
    assert (ours[134], ours[517]) == ("crane (134)", "crane (517)")  # a bird and a machine
    default = open_application("MobileNetV3Small", None)
    assert default.contract.input_size == (224, 224)  # Keras leaves it open
    small = open_application("MobileNet", None, Reading(input_size=96))
    assert small.contract.input_size == (96, 96)
    assert bundle.contract.input_size == (224, 224)
    assert bundle.contract.preprocessing.name == "minus_one_to_one"
    with pytest.raises(ConvscopeError, match="did you mean VGG19 or VGG16"):
        open_application("VGG", None)


def test_application_with_weights_from_a_file(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = keras.applications.MobileNet(weights=None)
    model.save_weights(tmp_path / "x.weights.h5")
    bundle = open_application("MobileNet", str(tmp_path / "x.weights.h5"))
    x = np.random.default_rng(0).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    np.testing.assert_array_equal(bundle.model(x), model(x))


LARGE = ("ConvNeXtXLarge", "ConvNeXtLarge", "NASNetLarge", "EfficientNetV2L", "EfficientNetB7")


@pytest.mark.slow
@pytest.mark.parametrize("name", [each for each in NAMES if each not in LARGE])
def test_every_application_has_layers_and_feature_maps(name: str) -> None:
    bundle = open_application(name, None)
    convolutions = [layer for layer in bundle.layers if layer.is_convolution and layer.has_maps]
    ends = [convolutions[0], convolutions[-1]]
    size = bundle.contract.input_size
    x = np.random.default_rng(0).uniform(0, 1, (1, *size, 3)).astype(np.float32)
    outputs = keras.Model(bundle.model.inputs[0], [layer.output for layer in ends]).predict_on_batch(x)
    for layer, maps in zip(ends, outputs, strict=True):
        assert all(side in (None, ours) for side, ours in zip(layer.shape, maps.shape[1:], strict=True))
        assert np.isfinite(maps).all()
        assert maps.std() > 0


def test_options_that_contradict_the_contract_of_a_run_are_refused(tmp_path: Path) -> None:
    save_model(network(), tmp_path)
    Contract("net", ["a", "b", "c"], (12, 12), by_name("unit_range")).write(tmp_path)
    with pytest.raises(ConvscopeError, match=r"^preprocessing, class_names given for .*; remove them$"):
        open_checkpoint(tmp_path, SAID)


@pytest.mark.parametrize(
    "options", [{"input_size": 999}, {"output": "nonsense"}, {"input": "x"}, {"outputs": "logits"}]
)
def test_options_that_a_run_directory_decides_are_refused(options: dict, tmp_path: Path) -> None:
    save_model(network(), tmp_path)
    Contract("net", ["a", "b", "c"], (12, 12), by_name("unit_range")).write(tmp_path)
    (name,) = options
    with pytest.raises(ConvscopeError, match=f"^{name} given for .*model.keras: expected none of them"):
        open_checkpoint(tmp_path, Reading(**options))
    open_checkpoint(tmp_path, Reading(allow_code=True))


def test_options_that_contradict_the_model_are_refused() -> None:
    with pytest.raises(ConvscopeError, match="input_size=999: memory takes 12×12 pixels"):
        bundle_of(network(), replace(SAID, input_size=999), path="memory")
    assert bundle_of(network(), replace(SAID, input_size=12), path="memory").contract.input_size == (12, 12)
    with pytest.raises(ConvscopeError, match="outputs=logits, but the last layer has a softmax"):
        bundle_of(network(), replace(SAID, outputs="logits"), path="memory")
