import keras
import numpy as np

from convscope.graph import flatten
from convscope.preprocessing import by_name
from convscope.vis.ascent.accentuation import accentuate
from convscope.vis.ascent.maximize import Network


def network() -> tuple[keras.Model, Network]:
    """Three maps: red less green, blue, and one that no picture excites."""
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="relu", name="maps")(inputs))
    kernel = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0]], np.float32).reshape(1, 1, 3, 3)
    model.set_weights([kernel, np.array([0, 0, -1], np.float32)])
    graph = flatten(model)
    return model, Network(graph.model, graph.layers, by_name("unit_range"))


def test_the_channels_that_respond_most_are_raised_by_a_small_change() -> None:
    model, opened = network()
    photograph = np.random.default_rng(0).integers(20, 200, (16, 16, 3)).astype(np.uint8)
    found = accentuate(opened, "maps", [0, 1, 2], photograph, count=2)
    assert found is not None
    assert found.channels.tolist() == [1, 0]  # blue responds everywhere; the dead one is left out
    maps = np.asarray(model(photograph[None] / 255.0))[0]
    np.testing.assert_allclose(found.before, maps.mean((0, 1))[[1, 0]], rtol=1e-4)
    changed = np.asarray(model(found.pictures / 255.0)).mean((1, 2))
    np.testing.assert_allclose(found.after, [changed[0, 1], changed[1, 0]], rtol=1e-4)
    assert (found.after > 1.02 * found.before).all()
    assert np.sqrt((((found.pictures - photograph.astype(float)) / 255) ** 2).mean((1, 2, 3))).max() < 0.3
    (only,) = accentuate(opened, "maps", [0, 1], photograph, count=1).channels  # type: ignore[union-attr]
    assert only == 1


def test_a_photograph_that_excites_no_channel_is_left_out() -> None:
    _, opened = network()
    assert accentuate(opened, "maps", [0, 2], np.zeros((16, 16, 3), np.uint8), count=4) is None
