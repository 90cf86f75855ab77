import keras
import pytest
from keras import layers

from convscope.graph import flatten
from convscope.vis.layer_units import layer_units


@pytest.fixture(scope="module")
def units() -> dict[str, list[str]]:
    """The paths of the parts of each unit of a small graph with a branch, by the path of the unit."""
    pixels = keras.Input((8, 8, 3), name="pixels")
    joined = layers.Conv2D(4, 3, name="joined")(pixels)
    joined = layers.BatchNormalization(name="joined_bn")(joined)
    joined = layers.Activation("relu", name="joined_relu")(joined)
    own = layers.Conv2D(4, 1, activation="relu", name="own")(joined)
    linear = layers.Conv2D(4, 1, name="linear")(own)
    linear = layers.BatchNormalization(name="linear_bn")(linear)
    shared = layers.Conv2D(4, 1, name="shared")(linear)
    relu = layers.ReLU(name="shared_relu")(shared)
    total = layers.Add(name="total")([shared, relu])
    output = layers.Dense(2, name="scores")(layers.GlobalAveragePooling2D(name="mean")(total))
    graph = flatten(keras.Model(pixels, output))
    return {unit.path: [part.path for part in unit.parts] for unit in layer_units(graph.layers)}


def test_a_convolution_is_one_with_its_normalisation_and_its_activation(units: dict[str, list[str]]) -> None:
    assert units["joined"] == ["joined", "joined_bn", "joined_relu"]


def test_a_convolution_without_an_activation_of_its_own_stays_alone(units: dict[str, list[str]]) -> None:
    assert units["linear"] == ["linear"]  # the normalisation after it ends the unit
    assert units["own"] == ["own"]


def test_values_that_another_layer_uses_are_not_hidden_in_a_unit(units: dict[str, list[str]]) -> None:
    assert units["shared"] == ["shared"]
    assert units["shared_relu"] == ["shared_relu"]


def test_every_layer_is_in_one_unit(units: dict[str, list[str]]) -> None:
    paths = [path for parts in units.values() for path in parts]
    assert len(paths) == len(set(paths)) == 12
