import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope import images


def test_an_enlarged_map_keeps_the_values_at_the_centres_of_its_cells() -> None:
    cells = np.random.default_rng(0).normal(size=(5, 3))
    large = images.enlarge(cells, 5 * 7, 3 * 7)
    np.testing.assert_allclose(large[3::7, 3::7], cells, atol=1e-12)
    assert large.min() == pytest.approx(cells.min())
    assert large.max() == pytest.approx(cells.max())
    np.testing.assert_allclose(large[:3, :3], cells[0, 0])  # beyond the outer centres
    steps = np.diff(images.enlarge(np.array([[0.0, 1.0, 1.0, 4.0]]), 1, 400)[0])
    assert (steps >= 0).all()  # monotone where the cells are
    assert steps.max() < 0.06  # and smooth: bilinear steps would be 0.03, cells alone 3


def test_a_map_of_one_cell_is_enlarged_to_a_constant() -> None:
    np.testing.assert_array_equal(images.enlarge(np.array([[2.5]]), 4, 6), np.full((4, 6), 2.5))
    np.testing.assert_allclose(images.enlarge(np.array([[0.0], [1.0]]), 2, 3), [[0, 0, 0], [1, 1, 1]])


def test_png_files_are_deterministic_and_contain_the_metadata(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for name in ("a.png", "b.png"):
        images.save_png(tmp_path / name, pixels, {"layer": "conv2d_1", "class": "Löwenzahn"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"layer": "conv2d_1", "class": "Löwenzahn"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_jpeg_files_contain_the_short_metadata_as_json() -> None:
    pixels = np.full((8, 8, 3), 120, np.uint8)
    content = images.jpeg_bytes(pixels, {"class": "Löwenzahn", "kept": "x" * 1000, "left_out": "x" * 1001})
    with Image.open(io.BytesIO(content)) as image:
        assert json.loads(image.info["comment"]) == {"class": "Löwenzahn", "kept": "x" * 1000}
        np.testing.assert_array_equal(np.asarray(image), pixels)
    with Image.open(io.BytesIO(images.jpeg_bytes(pixels))) as image:
        assert "comment" not in image.info


def test_shrinking_averages_blocks_and_growing_is_bilinear() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    blocks = pixels.reshape(20, 3, 30, 3, 3).mean(axis=(1, 3))
    assert np.abs(images.resize(pixels, 20, 30) - blocks).max() <= 0.51
    grown = np.asarray(Image.fromarray(pixels).resize((140, 100), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(images.resize(pixels, 100, 140) - grown).max() <= 1
    smooth = np.linspace(0, 255, 227)[:, None, None].repeat(227, 1).repeat(3, 2).astype(np.uint8)
    expected = np.linspace(0, 255, 150)  # the ramp stays a ramp
    assert np.abs(images.resize(smooth, 150, 150)[:, 40, 1] - expected).max() <= 2
    assert images.resize(pixels, 60, 90) is pixels
