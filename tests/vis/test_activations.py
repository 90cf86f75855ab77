import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.models import small_convnet
from convscope.vis.activations import Extractor
from convscope.vis.layers import with_maps
from tests.vis.nets import photograph, two_channels


@pytest.mark.parametrize("activation", [None, "relu"])
def test_two_channels_by_hand(activation: str | None) -> None:
    model = two_channels(activation=activation)
    graph = flatten(model)
    maps = Extractor(graph.model, graph.layers[1:])(photograph())["maps"]
    below = 0 if activation else -3
    np.testing.assert_array_equal(maps[0, :, :, 0], [[2, 2, 2], [below] * 3, [0, 0, 0]])
    np.testing.assert_array_equal(maps[0, :, :, 1], [[1, 1, 5]] * 3)


def test_one_pass_gives_what_a_model_for_each_layer_gives() -> None:
    model = small_convnet.build(3, input_size=40, widths=(4, 6))
    x = np.random.default_rng(0).uniform(size=(2, 40, 40, 3)).astype(np.float32)
    graph = flatten(model)
    layers = with_maps(graph.layers)
    assert [layer.path for layer in layers] == [
        "conv2d_1", "max_pooling2d_1", "conv2d_2", "max_pooling2d_2",
    ]  # fmt: skip
    for path, maps in Extractor(graph.model, layers)(x).items():
        alone = keras.Model(model.inputs[0], model.get_layer(path).output)
        np.testing.assert_array_equal(maps, alone.predict_on_batch(x))


def test_a_diverged_checkpoint_is_named() -> None:
    model = two_channels()
    model.set_weights([np.full((1, 1, 3, 2), np.nan, np.float32), np.zeros(2, np.float32)])
    graph = flatten(model)
    with pytest.raises(ConvscopeError, match="layer maps puts out values that are not finite"):
        Extractor(graph.model, graph.layers[1:])(photograph())
