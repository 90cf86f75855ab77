from pathlib import Path

import keras
import pytest

from convscope.graph import flatten, joined_layers


def joined(model: keras.Model) -> list[list[str]]:
    """Return the paths of the members of each joined layer."""
    return [[member.path for member in layer.members] for layer in joined_layers(flatten(model).layers)]


def with_several(joined: list[list[str]]) -> list[list[str]]:
    return [members for members in joined if len(members) > 1]


def test_each_layer_belongs_to_one_joined_layer() -> None:
    inputs = keras.Input((8, 8, 3), name="pixels")
    x = keras.layers.Conv2D(2, 3, name="own", activation="relu")(inputs)
    x = keras.layers.BatchNormalization(name="after_relu")(x)
    x = keras.layers.Conv2D(2, 1, name="plain")(x)
    x = keras.layers.Dropout(0.5, name="drop")(x)
    x = keras.layers.BatchNormalization(name="normal")(x)
    x = keras.layers.LeakyReLU(name="leaky")(x)
    x = keras.layers.ReLU(name="second")(x)
    x = keras.layers.DepthwiseConv2D(3, name="depth")(x)
    x = keras.layers.SpatialDropout2D(0.5, name="unused")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    x = keras.layers.Dense(2, name="dense")(x)
    x = keras.layers.ReLU(name="positive")(keras.layers.BatchNormalization(name="of_units")(x))
    model = keras.Model(inputs, keras.layers.Dense(2, name="scores", activation="softmax")(x))
    assert joined(model) == [
        ["pixels"], ["own"], ["after_relu"], ["plain", "drop", "normal", "leaky"], ["second"], ["depth"],
        ["unused"], ["mean"], ["dense", "of_units", "positive"], ["scores"],
    ]  # fmt: skip
    plain = joined_layers(flatten(model).layers)[3]
    assert (plain.path, plain.output.path, plain.is_convolution) == ("plain", "leaky", True)


@pytest.mark.parametrize("gate", ["layer", "operation"])
def test_values_that_are_used_twice_end_a_joined_layer(gate: str) -> None:
    """Swish by hand: the convolution goes into the sigmoid and around it."""
    inputs = keras.Input((8, 8, 3), name="pixels")
    x = keras.layers.Conv2D(2, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="normal")(x)
    share = keras.layers.Activation("sigmoid", name="sigmoid")(x)
    x = keras.layers.Multiply(name="swish")([x, share]) if gate == "layer" else keras.ops.multiply(x, share)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="scores", activation="softmax")(x))
    assert with_several(joined(model)) == [["conv", "normal"]]


def test_a_layer_after_an_operation_does_not_read_one_layer() -> None:
    inputs = keras.Input((8, 8, 3), name="pixels")
    x = keras.layers.Conv2D(3, 3, name="after_division")(inputs / 255.0)
    y = keras.layers.Conv2D(3, 3, name="after_sum")(x + keras.layers.ReLU(name="relu")(x))
    y = keras.layers.Conv2D(2, 1, name="direct")(y)
    y = keras.layers.GlobalAveragePooling2D(name="mean")(y)
    layers = flatten(keras.Model(inputs, keras.layers.Dense(2, name="scores")(y))).layers
    found = {layer.path: layer.reads_one_layer(layers) for layer in joined_layers(layers)}
    assert found == {
        "pixels": False, "after_division": False, "relu": True, "after_sum": False, "direct": True,
        "mean": True, "scores": True,
    }  # fmt: skip


def test_each_convolution_of_inception_has_its_relu() -> None:
    layers = joined_layers(flatten(keras.applications.InceptionV3(weights=None)).layers)
    convolutions = [layer for layer in layers if layer.is_convolution]
    kinds = {tuple(member.kind for member in layer.members) for layer in convolutions}
    assert len(convolutions) == 94
    assert kinds == {("Conv2D", "BatchNormalization", "Activation")}
    assert all(len(layer.members) == 1 for layer in layers if not layer.is_convolution)


def test_projections_of_efficientnet_have_no_activation(shared: Path) -> None:
    model = keras.saving.load_model(shared / "weights/efficientnet_lite0_imagenet.keras", compile=False)
    found = {members[0]: members for members in with_several(joined(model))}
    assert found["stem_conv"] == ["stem_conv", "stem_bn", "stem_relu"]
    assert found["block2_depthwise_conv"][-1] == "block2_depthwise_relu"
    assert found["block2_project_conv"] == ["block2_project_conv", "block2_project_bn"]  # then an addition
    assert found["top_conv"][-1] == "top_relu"
