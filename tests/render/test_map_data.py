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
    levels = flat.reshape(-1, *content["stored"])
    return with_predictions(levels) if content["predicted"] else levels


def with_predictions(residuals: np.ndarray) -> np.ndarray:
    """Add the predictions value by value, as the definition in JPEG-LS says."""
    levels = np.zeros(np.add(residuals.shape, (0, 1, 1)), int)
    for channel, row, column in np.ndindex(residuals.shape):
        left, upper = levels[channel, row + 1, column], levels[channel, row, column + 1]
        corner = levels[channel, row, column]
        prediction = sorted((left, upper, left + upper - corner))[1]
        levels[channel, row + 1, column + 1] = (residuals[channel, row, column] + prediction) % 256
    return levels[:, 1:, 1:]


def test_smooth_maps_are_stored_as_differences_and_sparse_ones_as_they_are() -> None:
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(24, 30, 4)).cumsum(axis=0).cumsum(axis=1)
    sparse = np.zeros((24, 30, 4))
    sparse[rng.integers(0, 24, 40), rng.integers(0, 30, 40)] = [1, 7, 100, 3]
    for maps, predicted in ((smooth, True), (sparse, False)):
        content = map_content(maps.astype(np.float32), 96)
        assert content["predicted"] is predicted
        low, high = maps.min(axis=(0, 1)), maps.max(axis=(0, 1))
        expected = np.round((maps - low) / (high - low) * 255)
        assert np.abs(values_of(content) - np.moveaxis(expected, -1, 0)).max() <= 1
    plain = gzip.compress(values_of(map_content(smooth.astype(np.float32), 96)).astype(np.uint8).tobytes())
    assert len(map_content(smooth.astype(np.float32), 96)["values"]) * 3 / 4 < 0.8 * len(plain)


def test_the_strongest_channels_are_stored_if_not_all_are() -> None:
    maps = np.array([[[1, -5, 3, 0], [1, -7, 5, 2]]], np.float32)  # means 1, −6, 4, 1
    content = map_content(maps, 96, 3)
    assert content["kept"] == [0, 1, 2]  # of channels with equal means, the first
    assert content["mean"] == [1, -6, 4, 1]
    assert values_of(map_content(maps, 96, 2)).tolist() == [[[255, 0]], [[0, 255]]]
    assert "kept" not in map_content(maps, 96, 4)


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
