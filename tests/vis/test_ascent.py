import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.models import small_convnet
from convscope.preprocessing import by_name
from convscope.vis.ascent import maximize_filters
from convscope.vis.layer_selection import select

SETTINGS = {"preprocessing": by_name("unit_range"), "size": 32, "steps": 40, "seed": 0}


def network() -> keras.Model:
    keras.utils.set_random_seed(2)
    return small_convnet.build(3, input_size=40, widths=(6, 8))


@pytest.mark.parametrize("layer", ["conv2d_1", "conv2d_2"])
def test_ascent_raises_the_mean_response_of_every_filter_by_half(layer: str) -> None:
    """From what it is for noise, in 80 steps; most rise far more, from next to nothing."""
    model = network()
    graph = flatten(model)
    chosen = select(graph.layers, [layer])[0]
    patterns = maximize_filters(graph.model, chosen, range(6), **SETTINGS | {"steps": 80})
    assert patterns.pictures.shape == (6, 32, 32, 3)
    assert (patterns.after > 0.01).all()
    assert (patterns.after > 1.5 * patterns.before).all()


def test_the_responses_are_those_of_the_returned_pictures() -> None:
    """What is reported is measured on the pictures as written, by the model itself."""
    model = network()
    graph = flatten(model)
    chosen = select(graph.layers, ["conv2d_2"])[0]
    patterns = maximize_filters(graph.model, chosen, [5, 1], **SETTINGS | {"size": 40})
    maps = keras.Model(graph.model.inputs[0], chosen.output)(patterns.pictures / np.float32(255))
    expected = np.asarray(maps).mean(axis=(1, 2))[[0, 1], [5, 1]]
    np.testing.assert_allclose(patterns.after, expected, rtol=1e-4, atol=1e-6)


def test_the_pattern_of_a_filter_for_stripes_is_nearly_optimal() -> None:
    """A kernel that takes right from left, over three channels in [0, 1].

    Stripes of two pixels black and two white give 6, 0, 0, 0 and so on: 1.5 on average, and stripes of
    four and four give 3, 6, 3, 0, 0, 0, 0, 0: 1.5 as well.
    """
    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.Conv2D(1, (1, 4), activation="relu", name="stripes")(inputs)
    model = keras.Model(inputs, outputs)
    kernel = np.tile(np.array([1, 1, -1, -1], np.float32).reshape(1, 4, 1, 1), (1, 1, 3, 1))
    model.set_weights([kernel, np.zeros(1, np.float32)])
    graph = flatten(model)
    patterns = maximize_filters(graph.model, graph.layers[1], [0], **SETTINGS | {"steps": 128})
    assert patterns.before < 0.05
    assert patterns.after > 0.8 * 1.5


def test_the_same_seed_gives_the_same_pixels() -> None:
    model = network()
    graph = flatten(model)
    chosen = select(graph.layers, ["conv2d_1"])[0]
    first, again = (maximize_filters(graph.model, chosen, range(4), **SETTINGS) for _ in range(2))
    np.testing.assert_array_equal(first.pictures, again.pictures)


def test_ascent_does_not_change_the_model() -> None:
    model = network()
    before = [weight.copy() for weight in model.get_weights()]
    names = [layer.name for layer in model.layers]
    graph = flatten(model)
    maximize_filters(graph.model, select(graph.layers, ["conv2d_2"])[0], [0], **SETTINGS | {"steps": 2})
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [layer.path for layer in graph.layers] == names


def test_pictures_that_are_too_small_are_refused() -> None:
    model = keras.Sequential(
        [keras.Input((64, 64, 3)), keras.layers.MaxPooling2D(16), keras.layers.Conv2D(2, 3, name="deep")]
    )
    graph = flatten(model)
    with pytest.raises(ConvscopeError, match="32×32 pixels are too small for deep"):
        maximize_filters(graph.model, graph.layers[-1], [0], **SETTINGS)
