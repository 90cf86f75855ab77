import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.models import small_convnet
from convscope.vis.extractor import Extractor, in_groups
from convscope.vis.layer_selection import convolutions_and_poolings
from tests.vis.nets import photograph, two_channels


@pytest.mark.parametrize("activation", [None, "relu"])
def test_two_channels_by_hand(activation: str | None) -> None:
    model = two_channels(activation=activation)
    graph = flatten(model)
    maps = Extractor(graph.model, graph.layers[1:])(photograph())["maps"]
    below = 0 if activation else -3
    np.testing.assert_array_equal(maps[0, :, :, 0], [[2, 2, 2], [below] * 3, [0, 0, 0]])
    np.testing.assert_array_equal(maps[0, :, :, 1], [[1, 1, 5]] * 3)


def test_one_pass_equals_one_model_for_each_layer() -> None:
    model = small_convnet.build(3, input_size=40, widths=(4, 6))
    x = np.random.default_rng(0).uniform(size=(2, 40, 40, 3)).astype(np.float32)
    graph = flatten(model)
    layers = convolutions_and_poolings(graph.layers)
    assert [layer.path for layer in layers] == [
        "conv2d_1", "max_pooling2d_1", "conv2d_2", "max_pooling2d_2",
    ]  # fmt: skip
    for path, maps in Extractor(graph.model, layers)(x).items():
        alone = keras.Model(model.inputs[0], model.get_layer(path).output)
        np.testing.assert_array_equal(maps, alone.predict_on_batch(x))


def test_groups_of_layers_stay_below_the_limit_and_in_order() -> None:
    graph = flatten(small_convnet.build(3, input_size=12, widths=(4, 6)))
    layers = convolutions_and_poolings(graph.layers)
    assert [layer.shape for layer in layers] == [(10, 10, 4), (5, 5, 4), (3, 3, 6), (1, 1, 6)]
    needs = [2 * 4 * count for count in (400, 100, 54, 6)]  # bytes of two pictures
    for limit, expected in (
        (sum(needs), [4]),
        (sum(needs) - 1, [3, 1]),
        (needs[0], [1, 3]),
        (sum(needs[1:3]), [1, 2, 1]),
        (1, [1, 1, 1, 1]),
    ):
        groups = in_groups(layers, pictures=2, size=(12, 12), limit=limit)
        assert [len(group) for group in groups] == expected
        assert [layer for group in groups for layer in group] == layers


def test_an_open_side_counts_as_long_as_that_of_the_input() -> None:
    inputs = keras.Input((None, None, 3))
    graph = flatten(keras.Model(inputs, keras.layers.Conv2D(2, 3, padding="same")(inputs)))
    needs = 4 * (5 * 7 * 3 + 5 * 7 * 2)
    assert len(in_groups(graph.layers, pictures=1, size=(5, 7), limit=needs)) == 1
    assert len(in_groups(graph.layers, pictures=1, size=(5, 7), limit=needs - 1)) == 2


def test_values_that_are_not_finite_name_the_layer() -> None:
    model = two_channels()
    model.set_weights([np.full((1, 1, 3, 2), np.nan, np.float32), np.zeros(2, np.float32)])
    graph = flatten(model)
    with pytest.raises(ConvscopeError, match="layer maps returns values that are not finite"):
        Extractor(graph.model, graph.layers[1:])(photograph())
