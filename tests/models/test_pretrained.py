import inspect
import re
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.data.features import key
from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.models import pretrained, small_convnet
from convscope.models.application_names import NAMES
from convscope.models.applications import application
from convscope.models.head import Head, learn_from, split_at_head
from convscope.models.layer_table import layer_rows

WEIGHTS = "weights/inception_v3_notop_unit_range.weights.h5"
LITE = "weights/efficientnet_lite0_imagenet.keras"


def build(name: str, classes: int = 5, head: Head | None = None, **options: object) -> keras.Model:
    settings = {"input_size": 75, "weights": None} | options
    return pretrained.from_application(application(name), classes, head=head or Head(), **settings)


@cache
def classifier(name: str) -> keras.Model:
    """Build an application of Keras with 5 classes once; tests must not change it."""
    return build(name, input_size=96)


@pytest.mark.parametrize("name", NAMES)
def test_preprocessing_and_size_of_every_application_are_those_of_keras(name: str) -> None:
    found = application(name)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 5, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(
        found.preprocessing.encode(pixels), found.preprocess_input(pixels.copy()), rtol=1e-5, atol=1e-5
    )
    source = inspect.getsource(inspect.getmodule(found.build))
    function = inspect.getsource(found.build)
    said = re.search(r"default_size=(\d+)", function) or re.search(r"default_size=(\d+)", source)
    assert said is None or found.input_size == int(said[1])


@pytest.mark.parametrize(
    "name",
    [
        "MobileNetV2",
        "DenseNet121",
        "EfficientNetB0",
        "MobileNetV3Small",
        "ResNet50V2",
        "Xception",
        "VGG16",
        "ConvNeXtTiny",
    ],
)
def test_an_application_is_one_flat_graph_with_the_same_names_every_time(name: str) -> None:
    keras.layers.Conv2D(1, 1)  # counts Keras' automatic names up
    first, second = classifier(name), build(name, input_size=96)
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    assert not any(isinstance(layer, keras.Model) for layer in first.layers)
    assert first.output_shape == (None, 5)


@pytest.mark.parametrize("name", ["VGG16", "MobileNetV2", "Xception", "ResNet50V2", "DenseNet121"])
def test_flops_of_an_application_are_those_of_the_profiler_of_tensorflow(name: str) -> None:
    """The profiler also counts a multiply-add as two operations."""
    model = classifier(name)
    call = tf.function(lambda x: model(x, training=False))
    graph = call.get_concrete_function(tf.TensorSpec((1, 96, 96, 3))).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder(
        tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    )
    options = options.with_empty_output().with_accounted_types(
        ["Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2"]
    )
    counted = tf.compat.v1.profiler.profile(graph, options=options.build()).total_float_ops
    assert sum(row.flops for row in layer_rows(flatten(model).layers)) == pytest.approx(counted, rel=1e-3)


def test_the_names_are_those_of_the_installed_keras() -> None:
    members = vars(keras.applications)
    assert sorted(NAMES) == sorted(name for name in members if name[0].isupper() and callable(members[name]))


def test_layer_names_of_inception_do_not_depend_on_earlier_models() -> None:
    first, second = classifier("InceptionV3"), build("InceptionV3")
    names = [layer.name for layer in first.layers]
    assert names == [layer.name for layer in second.layers]
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in first.layers) == 94
    assert first.get_layer("conv2d").kernel.shape == (3, 3, 3, 32)
    assert first.get_layer("conv2d_4").kernel.shape == (3, 3, 80, 192)
    assert first.get_layer("conv2d_93").kernel.shape == (1, 1, 2048, 192)
    assert {"mixed0", "mixed10", "activation_93"} <= set(names)


def test_default_head_is_that_of_the_flowers_project() -> None:
    head = classifier("InceptionV3").layers[-4:]
    assert [type(layer).__name__ for layer in head] == ["GlobalAveragePooling2D", "Dense", "Dropout", "Dense"]
    assert (head[1].units, head[2].rate, head[3].units) == (256, 0.1, 5)


@pytest.mark.parametrize(
    ("head", "kinds", "shape"),
    [
        (Head(units=0), ["GlobalAveragePooling2D", "Dropout", "Dense"], (None, 2)),
        (Head("max", 8, "gelu"), ["GlobalMaxPooling2D", "Dense", "Dropout", "Dense"], (None, 2)),
        (Head("flatten", 0, output="sigmoid"), ["Flatten", "Dropout", "Dense"], (None, 1)),
    ],
)
def test_head_has_the_layers_of_its_settings(head: Head, kinds: list[str], shape: tuple[None, int]) -> None:
    model = build("MobileNetV2", 2, head, input_size=64)
    assert [type(layer).__name__ for layer in model.layers[-len(kinds) :]] == kinds
    assert model.output_shape == shape


def test_weights_from_a_file_are_loaded_into_the_trunk(shared: Path) -> None:
    model = build("InceptionV3", weights=str(shared / WEIGHTS))
    trunk = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(75, 75, 3))
    trunk.load_weights(shared / WEIGHTS)
    x = np.random.default_rng(0).uniform(0, 1, (1, 75, 75, 3)).astype(np.float32)
    ours = keras.Model(model.inputs[0], model.get_layer("mixed10").output)(x)
    np.testing.assert_array_equal(ours, trunk(x))


def test_weights_that_do_not_fit_are_refused_in_one_line(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"does not fit MobileNet") as error:
        build("MobileNet", weights=str(shared / "weights/vgg16_notop_edges.weights.h5"))
    assert "\n" not in str(error.value)
    with pytest.raises(ConvscopeError, match="no weights at"):
        build("MobileNet", weights=str(tmp_path / "none.weights.h5"))


def test_applications_that_cannot_be_built_are_refused_in_one_line() -> None:
    with pytest.raises(ConvscopeError, match="did you mean VGG19 or VGG16"):
        application("VGG17")
    with pytest.raises(ConvscopeError, match="its default size is 299") as error:
        build("InceptionV3", input_size=40)
    assert "\n" not in str(error.value)
    with pytest.raises(ConvscopeError, match="no pooling 'mean'"):
        build("MobileNetV2", head=Head("mean"), input_size=64)


def test_saved_model_becomes_a_trunk(tmp_path: Path) -> None:
    donor = small_convnet.build(3, input_size=40, widths=(4, 6), units=8)
    donor.save(tmp_path / "donor.keras")
    model = pretrained.from_file(tmp_path / "donor.keras", 2, cut=None, head=Head(units=0))
    assert [layer.name for layer in model.layers] == [
        "pixels", "conv2d_1", "max_pooling2d_1", "conv2d_2", "average_pooling", "dropout", "predictions",
    ]  # fmt: skip
    x = np.random.default_rng(0).normal(size=(2, 40, 40, 3)).astype(np.float32)
    ours, theirs = (
        keras.Model(each.inputs[0], each.get_layer("conv2d_2").output)(x) for each in (model, donor)
    )
    np.testing.assert_array_equal(ours, theirs)
    earlier = pretrained.from_file(tmp_path / "donor.keras", 2, cut="conv2d_1", head=Head())
    assert earlier.get_layer("average_pooling").input.shape[-1] == 4
    with pytest.raises(ConvscopeError, match="did you mean conv2d_2"):
        pretrained.from_file(tmp_path / "donor.keras", 2, cut="conv2d_9", head=Head())
    larger = pretrained.from_file(tmp_path / "donor.keras", 2, cut=None, head=Head(units=0), input_size=60)
    assert larger.input_shape == (None, 60, 60, 3)
    np.testing.assert_array_equal(larger.get_layer("conv2d_2").kernel, donor.get_layer("conv2d_2").kernel)
    small = keras.Model(larger.inputs[0], larger.get_layer("max_pooling2d_1").output)
    assert small.output_shape == (None, 29, 29, 4)


def test_unusable_saved_models_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.keras").write_bytes(b"no model")
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)]).save(tmp_path / "grey.keras")
    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()]).save(tmp_path / "flat.keras")
    code = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x + 1)])
    code.save(tmp_path / "code.keras")
    for name, said in {
        "none": "no checkpoint at",
        "broken": "is damaged or incomplete",
        "grey": "expected one colour picture",
        "flat": "no feature maps",
        "code": "a Lambda layer",
    }.items():
        with pytest.raises(ConvscopeError, match=said) as error:
            pretrained.from_file(tmp_path / f"{name}.keras", 2, cut=None, head=Head())
        assert "\n" not in str(error.value)


def test_a_model_inside_a_model_is_a_trunk_that_can_be_trained_and_saved(tmp_path: Path) -> None:
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, name="maps"), keras.layers.ReLU(name="relu")],
        name="inner",
    )
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(inner(keras.layers.Rescaling(2.0, name="twice")(inputs)))
    donor = keras.Model(inputs, keras.layers.Dense(3)(x))
    donor.save(tmp_path / "nested.keras")
    model = pretrained.from_file(tmp_path / "nested.keras", 2, cut=None, head=Head(units=0))
    assert [layer.name for layer in model.layers][1:4] == ["twice", "inner_maps", "inner_relu"]
    pretrained.set_trainable(model, "inner_maps")
    model.save(tmp_path / "flat.keras")
    again = keras.saving.load_model(tmp_path / "flat.keras")
    x = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(x), model(x))
    ours = keras.Model(again.inputs[0], again.get_layer("inner_relu").output)(x)
    np.testing.assert_array_equal(ours, inner(2 * x))


def test_real_weights_give_real_features(shared: Path) -> None:
    model = pretrained.from_file(shared / LITE, 5, cut=None, head=Head(units=0))
    donor = keras.saving.load_model(shared / LITE, compile=False)
    maps = model.get_layer("average_pooling").input
    assert tuple(maps.shape) == (None, 7, 7, 1280)
    x = np.random.default_rng(0).normal(size=(1, 224, 224, 3)).astype(np.float32)
    pooled = keras.Model(model.inputs[0], model.get_layer("average_pooling").output)(x)
    classes = [layer for layer in donor.layers if isinstance(layer, keras.layers.Dense)][-1]
    expected = keras.Model(donor.inputs[0], classes.input)(x)
    np.testing.assert_allclose(pooled, expected, rtol=1e-4, atol=1e-5)


def test_trainable_layers_are_chosen_and_batch_normalization_stays_frozen() -> None:
    def trained(choice: str) -> list[str]:
        model = build("MobileNetV2", input_size=64)
        pretrained.set_trainable(model, choice)
        return [layer.name for layer in model.layers if layer.trainable_weights]

    everything = trained("all")
    assert trained("head") == ["dense", "predictions"]
    upper = trained("block_15_expand")
    assert upper[0] == "block_15_expand"
    assert upper[-2:] == ["dense", "predictions"]
    assert not any("BN" in name for name in upper)
    assert any("BN" in name for name in everything)
    assert set(upper) < set(everything)
    with pytest.raises(ConvscopeError, match="no layer 'block_99'"):
        trained("block_99")


def test_split_head_shares_nothing_until_its_weights_are_copied_back() -> None:
    model = build("MobileNetV2", 3, Head(units=4), input_size=64)
    trunk, head = split_at_head(model)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(head(trunk(x)), model(x), rtol=1e-5, atol=1e-6)
    before = model.get_layer("predictions").get_weights()
    head.set_weights([each + 1 for each in head.get_weights()])
    np.testing.assert_array_equal(model.get_layer("predictions").get_weights()[0], before[0])
    learn_from(model, head)
    np.testing.assert_array_equal(model.get_layer("predictions").get_weights()[0], before[0] + 1)
    np.testing.assert_allclose(head(trunk(x)), model(x), rtol=1e-5, atol=1e-6)


def test_key_of_features_does_not_depend_on_earlier_models() -> None:
    keys = set()
    for trainable in ("all", "head"):
        keras.utils.set_random_seed(0)
        model = build("MobileNetV2", input_size=64)
        pretrained.set_trainable(model, trainable)
        keys.add(key(split_at_head(model)[0], {}, []))
    assert len(keys) == 1


def test_a_trunk_in_mixed_precision_is_taken_in_float32_and_at_the_size_that_is_given(tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(2, 3, dtype="mixed_bfloat16", name="maps")(inputs)
    keras.Model(inputs, maps).save(tmp_path / "mixed.keras")
    model = pretrained.from_file(tmp_path / "mixed.keras", 2, cut=None, head=Head(), input_size=20)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert model.input_shape == (None, 20, 20, 3)


def test_a_sequential_file_without_a_size_gets_the_size_that_is_given(tmp_path: Path) -> None:
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, name="maps")]
    keras.Sequential(layers).save(tmp_path / "open.keras")
    model = pretrained.from_file(tmp_path / "open.keras", 2, cut=None, head=Head(), input_size=20)
    assert model.input_shape == (None, 20, 20, 3)
