import runpy
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from convscope import decode, images
from convscope.errors import ConvscopeError


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    picture = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was rotated: rotate the picture by 90 degrees clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    expected = np.rot90(np.asarray(picture), -1)
    np.testing.assert_array_equal(decode.load(tmp_path / "turned.png"), expected)


@pytest.mark.parametrize("turn", range(1, 9))
def test_damaged_exif_data_do_not_keep_a_picture_from_being_turned(tmp_path: Path, turn: int) -> None:
    """Pillow reads the negative unit of the resolution, but cannot encode it again."""
    picture = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10)
    exif = Image.Exif()
    exif[0x0112] = turn
    picture.save(tmp_path / "plain.png", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(tmp_path / "plain.png"))
    np.testing.assert_array_equal(decode.load(tmp_path / "plain.png"), np.asarray(expected))
    tags = struct.pack("<HHHIHHHHIiI", 2, 0x0112, 3, 1, turn, 0, 0x0128, 9, 1, -1, 0)
    picture.save(tmp_path / "odd.png", exif=b"Exif\0\0II*\0" + struct.pack("<I", 8) + tags)
    np.testing.assert_array_equal(decode.load(tmp_path / "odd.png"), np.asarray(expected))


def test_sixteen_bit_values_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 257 * 7, 65535]], np.uint16)).save(tmp_path / "deep.png")
    assert decode.load(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 7, 255]


def test_transparent_pixels_are_blended_with_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)).save(tmp_path / "a.png")
    assert decode.load(tmp_path / "a.png")[0].tolist() == [[255, 255, 255], [10, 20, 30]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "zero bytes"), (b"hello", "not an image"), (b"\x89PNG\r\n\x1a\n" + bytes(40), "cannot read")],
)
def test_a_file_that_is_not_an_image_is_an_error_of_one_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(ConvscopeError, match=reason) as error:
        decode.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_photograph_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    whole.write_bytes(
        images.jpeg_bytes(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    )
    (tmp_path / "half.jpg").write_bytes(whole.read_bytes()[:900])
    with pytest.raises(ConvscopeError, match="truncated"):
        decode.load(tmp_path / "half.jpg")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images.save_png(tmp_path / "large.png", np.zeros((40, 40, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow itself refuses twice as many
    with pytest.raises(ConvscopeError, match="decompression bomb"):
        decode.load(tmp_path / "large.png")


def test_postscript_is_refused(tmp_path: Path) -> None:
    """Pillow would start Ghostscript, which executes PostScript programs."""
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(decode.DecodeError, match="PostScript"):
        decode.load(tmp_path / "a.eps")


def test_importing_the_module_does_not_change_the_warning_filters() -> None:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        runpy.run_path(decode.__file__)
        assert warnings.filters == []
