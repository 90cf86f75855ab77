"""Pictures as arrays: save, resize, colour maps, overlays; `convscope.decode` reads them.

A picture is an upright RGB array, uint8 (height, width, 3), 0 to 255.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from convscope.files import write_bytes

CELLS_ACROSS = 4  # cells along a side that training and single deletion delete
_RUNS, _DEFAULT = 3, 0  # Z_RLE and Z_DEFAULT_STRATEGY of zlib
_JPEG_QUALITY, _LONGEST_IN_COMMENT = 85, 1000


@dataclass(frozen=True)
class Indexed:
    """A picture of at most 256 colours: `indices`, uint8 (height, width), into `palette`, uint8 (256, 3)."""

    indices: np.ndarray
    palette: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width)."""
        return self.indices.shape


def in_rgb(picture: np.ndarray | Indexed) -> np.ndarray:
    """Return the picture as uint8 (height, width, 3)."""
    return picture.palette[picture.indices] if isinstance(picture, Indexed) else picture


def in_pillow(picture: np.ndarray | Indexed) -> Image.Image:
    """Return the picture as a Pillow image, with its palette if it has one."""
    if not isinstance(picture, Indexed):
        return Image.fromarray(picture)
    image = Image.fromarray(picture.indices)
    image.putpalette(picture.palette.tobytes())
    return image


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the picture, uint8, resized to `height` x `width` with bilinear interpolation.

    If a side shrinks to a half or less, blocks of pixels are averaged first. This function resizes all
    pictures to the input size of a model.
    """
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (height, width):
        return pixels
    down, across = max(1, rows // height), max(1, columns // width)
    if down > 1 or across > 1:
        divisible = pixels[: rows // down * down, : columns // across * across]
        pixels = cv2.resize(divisible, (columns // across, rows // down), interpolation=cv2.INTER_AREA)
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)


def cells(height: int, width: int, *, across: int) -> list[tuple[slice, slice]]:
    """Return the windows of `across` x `across` cells of a picture, row by row."""
    rows, columns = (
        [round(side * index / across) for index in range(across + 1)] for side in (height, width)
    )
    return [
        (slice(*rows[row : row + 2]), slice(*columns[column : column + 2]))
        for row in range(across)
        for column in range(across)
    ]


def stretch(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a map of numbers resized with bilinear interpolation, float32 (height, width)."""
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def enlarge(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a map enlarged smoothly, float64 (height, width).

    Cells have their centres at half pixels. The result passes through the value of a cell at its centre and
    stays between neighbouring cells (piecewise cubic Hermite interpolation along both axes); beyond the outer
    centres it is constant.
    """
    from scipy.interpolate import PchipInterpolator  # takes 0.2 s

    for axis, side in enumerate((height, width)):
        cells = values.shape[axis]
        if cells == 1:
            values = np.repeat(values, side, axis=axis)
            continue
        positions = (np.arange(side) + 0.5) * cells / side - 0.5
        values = PchipInterpolator(np.arange(cells), values, axis)(np.clip(positions, 0, cells - 1))
    return values


def fit_within(pixels: np.ndarray, longest: int) -> np.ndarray:
    """Return the picture, shrunk so that no side is longer than `longest` pixels, with its aspect ratio."""
    height, width = pixels.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return pixels
    return resize(pixels, max(1, round(height * factor)), max(1, round(width * factor)))


@cache
def color_table(name: str) -> np.ndarray:
    """Return a Matplotlib colour map as uint8 (256, 3)."""
    import matplotlib

    return (matplotlib.colormaps[name](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def colorize(levels: np.ndarray, color_map: str) -> np.ndarray:
    """Return the colours of uint8 levels of any shape, uint8 (..., 3)."""
    return color_table(color_map).take(levels, axis=0)  # three times as fast as an index


def blend(pixels: np.ndarray, colors: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Return `colors` on top of a picture; both are uint8 (height, width, 3).

    `opacity` is float (height, width), 0 to 1; where it is 0, the picture does not change.
    """
    weights = opacity.astype(np.float32)
    return cv2.blendLinear(colors, np.ascontiguousarray(pixels), weights, 1 - weights)


def save_png(path: Path, picture: np.ndarray | Indexed, metadata: Mapping[str, str] | None = None) -> None:
    """Write a picture atomically; see `png_bytes`."""
    write_bytes(path, png_bytes(picture, metadata))


def png_bytes(picture: np.ndarray | Indexed, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a picture as the content of a PNG file; `metadata` goes into its text chunks.

    `picture` is uint8 (height, width, 3) or (height, width), or has a palette.
    """
    text = PngImagePlugin.PngInfo()
    for key, value in (metadata or {}).items():
        text.add_itxt(key, value)
    buffer = io.BytesIO()
    # For RGB, runs of equal pixels take half the time of zlib's default, and the file is no larger. With a
    # palette, the default is as fast, and the file is a third as large.
    strategy = _DEFAULT if isinstance(picture, Indexed) else _RUNS
    in_pillow(picture).save(buffer, "PNG", pnginfo=text, compress_level=1, compress_type=strategy)
    return buffer.getvalue()


def load_png(path: Path) -> np.ndarray:
    """Return a picture that convscope wrote, uint8 (height, width, 3)."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def jpeg_bytes(picture: np.ndarray | Indexed, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a picture as the content of a JPEG file; `metadata` goes into its comment, as JSON.

    A comment has at most 64 KiB, so values of more than 1,000 characters are left out.
    """
    short = {key: value for key, value in (metadata or {}).items() if len(value) <= _LONGEST_IN_COMMENT}
    comment = json.dumps(short, ensure_ascii=False).encode() if short else b""
    buffer = io.BytesIO()
    Image.fromarray(in_rgb(picture)).save(buffer, "JPEG", quality=_JPEG_QUALITY, comment=comment)
    return buffer.getvalue()
