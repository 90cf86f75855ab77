"""Feature maps as 8-bit values, computed by hand."""

import base64
import gzip

import numpy as np
import pytest

from convscope.render import map_data
from convscope.render.map_data import map_content, thumbnail
from convscope.render.sprite import sprite


def values_of(content: dict) -> np.ndarray:
    flat = np.frombuffer(gzip.decompress(base64.b64decode(content["values"])), np.uint8)
    return flat.reshape(-1, *content["stored"])


def test_each_channel_is_stored_from_its_lowest_to_its_highest_value() -> None:
    maps = np.array([[[0, 5], [1, 5]], [[2, 5], [4, 5]]], np.float32)
    content = map_content(maps, 96)
    assert values_of(content).tolist() == [[[0, 64], [128, 255]], [[0, 0], [0, 0]]]
    assert (content["low"], content["high"]) == ([0, 5], [4, 5])
    assert (content["mean"], content["zeros"]) == ([1.75, 5], [0.25, 0])
    assert content["silent"] == [1]


def test_the_units_of_a_dense_layer_are_maps_of_one_position() -> None:
    content = map_content(np.array([0.5, 0, -2], np.float32), 96)
    assert (content["shape"], content["stored"]) == ([1, 1, 3], [1, 1])
    assert content["mean"] == [0.5, 0, -2]
    assert content["silent"] == [1]


def test_only_large_layers_are_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = np.arange(4 * 8 * 2, dtype=np.float32).reshape(4, 8, 2)
    assert map_content(maps, 4)["stored"] == [4, 8]
    monkeypatch.setattr(map_data, "WHOLE", maps.size - 1)
    content = map_content(maps, 4)
    assert (content["shape"], content["stored"]) == ([4, 8, 2], [2, 4])
    assert content["high"] == [62, 63]  # of the whole maps
    mean = maps[:2, :2, 0].mean() / 62 * 255
    assert values_of(content)[0, 0, 0] == round(float(mean))


def test_a_thumbnail_is_the_channel_with_the_highest_mean() -> None:
    maps = np.zeros((56, 28, 3), np.float32)
    maps[..., 1] = 1
    maps[:28, :, 2] = -4
    small = thumbnail(maps)
    assert (small["channel"], small["stored"]) == (2, [28, 14])
    levels = np.frombuffer(base64.b64decode(small["values"]), np.uint8).reshape(28, 14)
    assert (levels[:14] == 0).all()
    assert (levels[14:] == 255).all()


def test_a_sprite_has_its_tiles_row_by_row() -> None:
    tiles = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    sheet, columns = sprite(tiles, 2)
    assert columns == 2
    assert sheet[::2, ::2, 0].tolist() == [[0, 1], [2, 226]]
