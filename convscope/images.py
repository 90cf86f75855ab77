"""Pictures as arrays: load, save, resize, colour-map, overlay.

A picture is a uint8 array (height, width, 3), RGB, values 0..255, upright.
"""

import io
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from convscope.errors import ConvscopeError
from convscope.files import write_bytes

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
_SIXTEEN_BIT = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})


def load(path: Path) -> np.ndarray:
    """The picture in a file, whole and upright.

    EXIF orientation is applied, 16-bit grey is scaled to 8 bits, transparency is laid on white, an
    animation gives its first frame.

    Returns:
        uint8 (height, width, 3), RGB.

    Raises:
        ConvscopeError: the file is missing, no image, damaged, or larger than Pillow's limit against
            decompression bombs.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                return _to_rgb(image)
    except FileNotFoundError:
        raise ConvscopeError(f"no image at {path}: give the path of a photograph") from None
    except UnidentifiedImageError:
        raise ConvscopeError(
            f"cannot read {path}: not an image; expected JPEG, PNG, WebP, BMP, GIF or TIFF"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        reason = " ".join(str(error).split())
        raise ConvscopeError(f"cannot read {path}: damaged or too large ({reason})") from None


def _to_rgb(image: Image.Image) -> np.ndarray:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _SIXTEEN_BIT:
        values = np.asarray(upright, np.float64)
        grey = np.round(np.clip(values, 0, 65535) / 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        upright = Image.alpha_composite(white, layer)
    return np.array(upright.convert("RGB"))


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The picture stretched to `height` x `width`, bilinear, averaged where it shrinks.

    uint8 in, uint8 out. This is the one way in which a picture gets a model's input size.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def stretch(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map of numbers at another size, bilinear, in float32: `resize` for what is no picture."""
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def fit_within(pixels: np.ndarray, longest: int) -> np.ndarray:
    """The picture shrunk, aspect kept, until no side is longer than `longest`."""
    height, width = pixels.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return pixels
    return resize(pixels, max(1, round(height * factor)), max(1, round(width * factor)))


@cache
def color_table(name: str) -> np.ndarray:
    """A Matplotlib colour map as uint8 (256, 3)."""
    import matplotlib

    return (matplotlib.colormaps[name](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def colorize(levels: np.ndarray, color_map: str) -> np.ndarray:
    """Colours for uint8 levels of any shape: uint8 (..., 3)."""
    return color_table(color_map)[levels]


def overlay(pixels: np.ndarray, heat: np.ndarray, color_map: str, strength: float = 0.7) -> np.ndarray:
    """A heatmap over a picture, transparent where it is 0.

    Args:
        pixels: uint8 (height, width, 3).
        heat: float (height, width), 0..1.
        color_map: a Matplotlib colour map.
        strength: the heatmap's opacity where it is 1.
    """
    opacity = (strength * np.clip(heat, 0, 1))[..., None]
    colors = colorize(np.round(np.clip(heat, 0, 1) * 255).astype(np.uint8), color_map)
    return np.round(pixels * (1 - opacity) + colors * opacity).astype(np.uint8)


def save_png(path: Path, pixels: np.ndarray, metadata: Mapping[str, str] | None = None) -> None:
    """Write a picture whole or not at all; `metadata` goes into the PNG's text chunks.

    `pixels` is uint8 (height, width, 3) or (height, width).
    """
    text = PngImagePlugin.PngInfo()
    for key, value in (metadata or {}).items():
        text.add_itxt(key, value)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=text, compress_level=4)
    write_bytes(path, buffer.getvalue())


def save_jpeg(path: Path, pixels: np.ndarray) -> None:
    """Write a picture as JPEG of quality 90, whole or not at all."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    write_bytes(path, buffer.getvalue())
