from pathlib import Path

import keras
import numpy as np
import pytest

from convscope import images
from convscope.data import image_paths
from convscope.decode import load
from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.vis.example_search import ExampleSearch, Top
from convscope.vis.extractor import Extractor
from convscope.vis.layer_top import layer_tops
from tests.vis import nets


def searched(model: keras.Model, pictures: np.ndarray, *, batch: int, top: int) -> dict:
    graph = flatten(model)
    layers = [layer for layer in graph.layers if layer.has_maps and layer.kind != "InputLayer"]
    search = ExampleSearch(graph.model, layers, top=top)
    for start in range(0, len(pictures), batch):
        search.add(pictures[start : start + batch])
    assert search.seen == len(pictures)
    return search.found


def brute_force(maps: np.ndarray, top: int) -> Top:
    count, _, width, channels = maps.shape
    flat = maps.reshape(count, -1, channels)
    value, at = flat.max(axis=1).T, flat.argmax(axis=1).T
    example = np.array([sorted(range(count), key=lambda one: (-row[one], one))[:top] for row in value])
    take = np.take_along_axis
    row, column = np.divmod(take(at, example, axis=1), width)
    return Top(take(value, example, axis=1), example, row, column, value.min(axis=1))


def check_equal(found: Top, expected: Top) -> None:
    for name in ("example", "row", "column"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-6)
    np.testing.assert_allclose(found.lowest, expected.lowest, rtol=1e-6)


@pytest.mark.parametrize("batch", [4, 5, 23])
def test_the_search_agrees_with_brute_force_for_any_batch_size(batch: int) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((12, 9, 3)),
            keras.layers.Conv2D(6, 3, activation="relu", name="first"),
            keras.layers.MaxPooling2D(name="pool"),
            keras.layers.Conv2D(5, 3, name="second"),
        ]
    )
    pictures = np.random.default_rng(1).uniform(-1, 1, (23, 12, 9, 3)).astype(np.float32)
    found = searched(model, pictures, batch=batch, top=4)
    graph = flatten(model)
    maps = Extractor(graph.model, graph.layers[1:])(pictures)
    assert list(found) == ["first", "pool", "second"]
    for path, top in found.items():
        check_equal(top, brute_force(maps[path], 4))


def test_equal_values_take_the_first_position_and_the_first_example() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 2, (40, 3, 3, 3)).astype(np.float32)  # ties everywhere
    model = nets.two_channels()
    for batch in (1, 7, 40):
        found = searched(model, pictures, batch=batch, top=9)["maps"]
        check_equal(found, brute_force(model.predict_on_batch(pictures), 9))
        maps = model.predict_on_batch(pictures)
        for channel in range(2):
            chosen = (found.example[channel], found.row[channel], found.column[channel], channel)
            np.testing.assert_array_equal(maps[chosen], found.value[channel])
            assert len(set(found.example[channel])) == 9


def test_fewer_examples_than_top_and_a_constant_channel() -> None:
    pictures = nets.photograph().repeat(2, axis=0)
    pictures[1] *= [1, 1, 0]  # the second channel is blue plus one
    pictures[..., 0] = pictures[..., 1] = 0
    found = searched(nets.two_channels(), pictures, batch=2, top=9)["maps"]
    np.testing.assert_array_equal(found.value, [[0, 0], [5, 1]])
    np.testing.assert_array_equal(found.column, [[0, 0], [2, 0]])
    np.testing.assert_array_equal(found.constant, [True, False])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    pictures = np.zeros((2, 3, 3, 3), np.float32)
    pictures[1, 2, 1, 2] = value
    with pytest.raises(ConvscopeError, match="layer maps returns values that are not finite"):
        searched(nets.two_channels(), pictures, batch=2, top=1)


def clipped(values: np.ndarray, activation: str) -> keras.Model:
    """Pictures (3, 3, 1) as they are, cut off at 6: by a layer of its own, or inside of a convolution."""
    inputs = keras.Input(values.shape[1:])
    inside = {"activation": "relu6"} if activation == "inside" else {}
    maps = keras.layers.Conv2D(1, 1, use_bias=False, name="inside", **inside)(inputs)
    if activation == "layer":
        maps = keras.layers.ReLU(6.0, name="layer")(maps)
    elif activation == "function":
        maps = keras.layers.Activation("relu6", name="function")(maps)
    model = keras.Model(inputs, maps)
    model.set_weights([np.ones((1, 1, 1, 1), np.float32)])
    return model


@pytest.mark.parametrize("activation", ["layer", "function", "inside"])
@pytest.mark.parametrize("batch", [1, 2, 6])
def test_equal_values_are_ranked_by_the_value_before_the_activation(activation: str, batch: int) -> None:
    """The highest values of the six pictures are 7, 9, 5, 12, 9 and 6; four are cut off at 6, one is 6."""
    pictures = np.zeros((6, 3, 3, 1), np.float32)
    for index, (value, row, column) in enumerate(
        [(7, 0, 1), (9, 1, 0), (5, 2, 2), (12, 2, 0), (9, 1, 1), (6, 0, 0)]
    ):
        pictures[index, row, column] = value
    pictures[3, 0, 0] = 8  # cut off at 6 as well, but lower before
    top = searched(clipped(pictures, activation), pictures, batch=batch, top=6)[activation]
    assert top.example.tolist() == [[3, 1, 4, 0, 5, 2]]  # of two nines, the first example
    assert top.value.tolist() == [[6, 6, 6, 6, 6, 5]]
    assert top.before.tolist() == [[12, 9, 9, 7, 6, 5]]
    assert (top.row.tolist(), top.column.tolist()) == ([[2, 1, 1, 0, 0, 2]], [[0, 0, 1, 1, 0, 2]])
    assert top.saturated.tolist() == [True]


def test_a_rectifier_without_an_upper_end_needs_no_tie_break() -> None:
    pictures = nets.photograph().repeat(2, axis=0)
    top = searched(nets.two_channels(activation="relu"), pictures, batch=2, top=2)["maps"]
    assert top.before is None
    assert not top.saturated.any()


def test_saturated_channels_of_efficientnet_are_ranked(shared: Path) -> None:
    """Its last rectifier cuts off at 6, which hundreds of channels reach for several photographs."""
    model = keras.saving.load_model(shared / "weights/efficientnet_lite0_imagenet.keras", compile=False)
    graph = flatten(model)
    layers = {layer.path: layer for layer in graph.layers}
    paths = image_paths.find([str(shared / "data/flowers")])[::130]
    pixels = np.stack([images.resize(load(path), 224, 224) for path in paths])
    inputs = (pixels.astype(np.float32) - 127) / 128
    search = ExampleSearch(graph.model, [layers["top_relu"]], top=9)
    maps = []
    before = keras.Model(graph.model.inputs[0], layers["top_bn"].output)
    for start in range(0, len(inputs), 8):
        search.add(inputs[start : start + 8])
        maps.append(before.predict_on_batch(inputs[start : start + 8]).max(axis=(1, 2)))
    top, highest = search.found["top_relu"], np.concatenate(maps).T
    assert top.saturated.sum() > 200
    assert (top.value[top.saturated, 1] == 6).all()
    expected = -np.sort(-highest, axis=1)[:, :9]
    np.testing.assert_allclose(top.before, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        np.take_along_axis(highest, top.example, axis=1), expected, rtol=1e-4, atol=1e-4
    )


def test_the_strongest_channels_by_hand() -> None:
    """Highest values 5, 6, 0, 6, 3 and 9; the last channel is the same for both examples."""
    value = np.float32([[5, 1], [6, 6], [0, 0], [6, 6], [3, 0], [9, 9]])
    before = np.float32([[5, 1], [7, 6], [-1, -2], [8, 7], [3, 0], [9, 9]])
    none = np.zeros((6, 2), np.int64)
    lowest = np.float32([1, 0, 0, 0, 0, 9])
    top = Top(value, none, none, none, lowest, before)
    assert [top.strongest(count).tolist() for count in (1, 2, 3, 5, 0)] == [
        [3], [1, 3], [0, 1, 3], [0, 1, 3, 4, 5], [0, 1, 2, 3, 4, 5],
    ]  # fmt: skip
    without = Top(value, none, none, none, lowest)
    assert without.strongest(1).tolist() == [1]  # equal values: the first channel
    some = top.of_channels(top.strongest(2))
    assert (some.value[:, 0].tolist(), some.before[:, 0].tolist()) == ([6, 6], [7, 8])


def test_excited_keeps_the_strongest_channels_and_their_numbers() -> None:
    graph = flatten(nets.two_channels(activation="relu"))
    search = ExampleSearch(graph.model, graph.layers[1:], top=2)
    pictures = nets.photograph().repeat(2, axis=0)
    pictures[1] /= 2
    search.add(pictures)  # red minus green reaches 2, blue plus one reaches 5
    (kept,) = layer_tops(search, graph.layers, limit=1)
    assert kept.channels.tolist() == [1]
    assert kept.top.value.tolist() == [[5, 3]]
    assert kept.tie_break == ""
    assert [found.channels.tolist() for found in layer_tops(search, graph.layers)] == [[0, 1]]
