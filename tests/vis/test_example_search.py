import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.vis.example_search import ExampleSearch, Top
from convscope.vis.extractor import Extractor
from tests.vis import nets


def searched(model: keras.Model, pictures: np.ndarray, *, batch: int, top: int, limit: int = 0) -> dict:
    graph = flatten(model)
    layers = [layer for layer in graph.layers if layer.has_maps and layer.kind != "InputLayer"]
    search = ExampleSearch(graph.model, layers, top=top, limit=limit)
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


def same(found: Top, expected: Top) -> None:
    for name in ("example", "row", "column"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-6)
    np.testing.assert_allclose(found.lowest, expected.lowest, rtol=1e-6)


@pytest.mark.parametrize(("batch", "limit"), [(4, 0), (5, 3), (23, 0)])
def test_the_best_are_those_of_brute_force_however_the_data_are_cut(batch: int, limit: int) -> None:
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
    found = searched(model, pictures, batch=batch, top=4, limit=limit)
    graph = flatten(model)
    maps = Extractor(graph.model, graph.layers[1:])(pictures)
    assert list(found) == ["first", "pool", "second"]
    for path, top in found.items():
        same(top, brute_force(maps[path][..., : limit or None], 4))


def test_of_equal_values_the_first_place_and_the_first_example_are_taken() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 2, (40, 3, 3, 3)).astype(np.float32)  # ties everywhere
    model = nets.two_channels()
    for batch in (1, 7, 40):
        found = searched(model, pictures, batch=batch, top=9)["maps"]
        same(found, brute_force(model.predict_on_batch(pictures), 9))
        maps = model.predict_on_batch(pictures)
        for channel in range(2):
            chosen = (found.example[channel], found.row[channel], found.column[channel], channel)
            np.testing.assert_array_equal(maps[chosen], found.value[channel])
            assert len(set(found.example[channel])) == 9


def test_fewer_examples_than_asked_for_and_a_channel_that_tells_none_apart() -> None:
    pictures = nets.photograph().repeat(2, axis=0)
    pictures[1] *= [1, 1, 0]  # the second channel is blue plus one
    pictures[..., 0] = pictures[..., 1] = 0
    found = searched(nets.two_channels(), pictures, batch=2, top=9)["maps"]
    np.testing.assert_array_equal(found.value, [[0, 0], [5, 1]])
    np.testing.assert_array_equal(found.column, [[0, 0], [2, 0]])
    np.testing.assert_array_equal(found.same, [True, False])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    pictures = np.zeros((2, 3, 3, 3), np.float32)
    pictures[1, 2, 1, 2] = value
    with pytest.raises(ConvscopeError, match="layer maps puts out values that are not finite"):
        searched(nets.two_channels(), pictures, batch=2, top=1)
