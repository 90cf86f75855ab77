from pathlib import Path

import numpy as np
from PIL import Image

from convscope import images


def test_an_overlay_does_not_change_the_picture_where_the_heat_is_zero() -> None:
    picture = np.full((2, 2, 3), 100, np.uint8)
    heat = np.array([[0, 0], [0, 1.0]])
    result = images.overlay(picture, heat, "inferno", strength=0.5)
    assert (result[0] == 100).all()
    brightest = images.color_table("inferno")[255].astype(int)
    assert (np.abs(result[1, 1].astype(int) - (100 + brightest) / 2) <= 1).all()


def test_png_files_are_deterministic_and_contain_the_metadata(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for name in ("a.png", "b.png"):
        images.save_png(tmp_path / name, pixels, {"layer": "conv2d_1", "class": "Löwenzahn"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"layer": "conv2d_1", "class": "Löwenzahn"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


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
