from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope import decode, images
from convscope.errors import ConvscopeError


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    picture = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    expected = np.rot90(np.asarray(picture), -1)
    np.testing.assert_array_equal(decode.load(tmp_path / "turned.png"), expected)


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 257 * 7, 65535]], np.uint16)).save(tmp_path / "deep.png")
    assert decode.load(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 7, 255]


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)).save(tmp_path / "a.png")
    assert decode.load(tmp_path / "a.png")[0].tolist() == [[255, 255, 255], [10, 20, 30]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "not an image"), (b"hello", "not an image"), (b"\x89PNG\r\n\x1a\n" + bytes(40), "cannot read")],
)
def test_what_is_no_image_is_named_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(ConvscopeError, match=reason) as error:
        decode.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_photograph_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    images.save_jpeg(whole, np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    (tmp_path / "half.jpg").write_bytes(whole.read_bytes()[:900])
    with pytest.raises(ConvscopeError, match="truncated"):
        decode.load(tmp_path / "half.jpg")


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images.save_png(tmp_path / "large.png", np.zeros((40, 40, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ConvscopeError, match="too large"):
        decode.load(tmp_path / "large.png")


def test_overlay_leaves_the_picture_where_there_is_no_heat() -> None:
    picture = np.full((2, 2, 3), 100, np.uint8)
    heat = np.array([[0, 0], [0, 1.0]])
    result = images.overlay(picture, heat, "inferno", strength=0.5)
    assert (result[0] == 100).all()
    brightest = images.color_table("inferno")[255].astype(int)
    assert (np.abs(result[1, 1].astype(int) - (100 + brightest) / 2) <= 1).all()


def test_a_png_is_the_same_bytes_every_time_and_carries_its_text(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for name in ("a.png", "b.png"):
        images.save_png(tmp_path / name, pixels, {"layer": "conv2d_1", "class": "Löwenzahn"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"layer": "conv2d_1", "class": "Löwenzahn"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
