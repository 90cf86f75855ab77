"""Decoding: from any image file to an upright 8-bit RGB picture, or to an error with the reason."""

import io
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from convscope.errors import ConvscopeError, one_line
from convscope.files import NotRegularError, open_regular

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif", ".jp2", ".ppm", ".pgm"}
)
VIDEO_SUFFIXES = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".webm",
        ".mkv",
        ".avi",
        ".mpg",
        ".mpeg",
        ".m2ts",
        ".wmv",
        ".flv",
        ".ogv",
        ".3gp",
    }
)
# The formats that Pillow decodes itself: EPS and WMF would start other programs, others resemble text.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "QOI", "ICO", "TGA")
LARGEST_FILE = 512 << 20  # bytes; Pillow limits the number of pixels
ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation; ImageOps.exif_transpose encodes the EXIF data again, which may fail
_SIXTEEN_BIT = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_VIDEO_BEGINNINGS = (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"FLV\1", b"OggS", b"0&\xb2u")  # Matroska, MPEG, …
_VIDEO_PARTS = (b"ftyp", b"moov", b"mdat", b"wide")  # of MP4 and QuickTime files, after four bytes
_TRUNCATED = re.compile(r"truncated|unexpected end|not enough|EOF|end of (file|data)", re.IGNORECASE)


class Reason(StrEnum):
    """The reason why a file is not a usable picture."""

    missing = "missing"
    not_a_file = "not a regular file"
    unreadable = "unreadable"
    zero_bytes = "zero bytes"
    not_an_image = "not an image"
    unsupported = "unsupported"
    truncated = "truncated"
    damaged = "damaged"
    bomb = "decompression bomb"
    video = "a video"


class DecodeError(ConvscopeError):
    """A file that cannot be decoded: the reason and details."""

    def __init__(self, path: Path, reason: Reason, detail: str):
        super().__init__(f"cannot read {path}: {reason} ({detail})")
        self.reason = reason
        self.detail = detail


_VIDEO = (
    Reason.video,
    "expected a photograph; views=[class_activation] draws videos, with names such as clip.mp4",
)


def missing(path: Path, expected: str = "a photograph") -> DecodeError:
    """Return the error for a file that does not exist."""
    return DecodeError(path, Reason.missing, f"expected the path of {expected}")


@dataclass(frozen=True)
class Decoded:
    """A completely decoded picture, as it is in its file.

    `image` is Pillow's image, not yet upright. `mode` and `format` are Pillow's names of the pixel mode and
    of the format of the content; the suffix of the file may be another. `orientation` is 1 to 8 as in EXIF,
    or 0 if the EXIF data is damaged. `is_deep` is true for 16 bits per channel, `is_animated` for several
    frames.
    """

    image: Image.Image
    mode: str
    format: str
    orientation: int
    is_deep: bool
    is_animated: bool

    @property
    def has_alpha(self) -> bool:
        """Whether pixels can be transparent."""
        return self.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in self.image.info

    @property
    def is_plain(self) -> bool:
        """Whether every decoder reads the same pixels: an upright 8-bit RGB or grey JPEG or PNG."""
        return (
            self.format in ("JPEG", "PNG")
            and self.mode in ("RGB", "L")
            and self.orientation == 1
            and not (self.is_deep or self.has_alpha or self.is_animated)
        )


def load(path: Path) -> np.ndarray:
    """Return the picture in a file, complete and upright.

    The EXIF orientation is applied, 16-bit grey is scaled to 8 bits, and transparent pixels are blended with
    white. For an animation, the result is its first frame.

    Returns:
        uint8 (height, width, 3), RGB, read-only.

    Raises:
        DecodeError: the file is missing, not an image, damaged, or exceeds Pillow's limit for decompression
            bombs.
    """
    return to_rgb(decode(read(path), path), path)


def load_plain(path: Path) -> np.ndarray:
    """Return the picture in an upright 8-bit JPEG or PNG file, faster than `load`.

    The values of a JPEG can differ from those of `load` by rounding.

    Raises:
        DecodeError: the file is missing, not an image, or damaged.
    """
    try:
        with open_regular(path) as file:
            pixels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    except (OSError, cv2.error):
        pixels = None
    return load(path) if pixels is None else pixels  # load raises an error with the reason


def read(path: Path) -> bytes:
    """Return the bytes of a file; raise DecodeError if it is empty or larger than 512 MiB."""
    with opened(path, "a photograph") as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_FILE:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                raise DecodeError(path, *_VIDEO)
            raise DecodeError(path, Reason.bomb, f"{size >> 20} MiB; expected at most {LARGEST_FILE >> 20}")
        content = file.read()
    if not content:
        raise DecodeError(path, Reason.zero_bytes, "the file is empty")
    return content


@contextmanager
def opened(path: Path, expected: str) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading.

    Args:
        path: the file.
        expected: what it is expected to be, for the error message.

    Raises:
        DecodeError: the file is missing, cannot be read, or is not a regular file.
    """
    try:
        with open_regular(path) as file:
            yield file
    except NotRegularError:
        raise DecodeError(path, Reason.not_a_file, f"expected {expected}") from None
    except FileNotFoundError:
        raise missing(path, expected) from None
    except OSError as error:
        raise DecodeError(path, Reason.unreadable, error.strerror or str(error)) from None


def decode(content: bytes, path: Path, *, grey: bool = False) -> Decoded:
    """Decode the bytes of a file completely.

    Args:
        content: the bytes.
        path: the path in error messages.
        grey: return only the luminance of a JPEG, in half the time. The file is still decoded completely, so
            that damage is detected.

    Raises:
        DecodeError: the content is not a picture, damaged, or too large.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            pixels = image.width * image.height
            if Image.MAX_IMAGE_PIXELS and pixels > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError(
                    f"{image.width}×{image.height} pixels; expected at most {Image.MAX_IMAGE_PIXELS:,}"
                )
            deep = image.mode in _SIXTEEN_BIT or any(";16" in str(tile[3]) for tile in image.tile)
            kind = image.format or ""
            # An MPO file has a photograph and its preview, which are no animation.
            moving = kind != "MPO" and getattr(image, "is_animated", False)
            mode = image.mode
            if grey and kind == "JPEG":
                image.draft("L", image.size)
            image.load()
            return Decoded(image, mode, kind, _orientation(image), deep, moving)
    except UnidentifiedImageError:
        raise DecodeError(path, *_unidentified(content)) from None
    except Image.DecompressionBombError as error:
        raise DecodeError(path, Reason.bomb, one_line(error)) from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        struct.error,
        EOFError,
        KeyError,
        IndexError,
        TypeError,
    ) as error:
        detail = one_line(error) or type(error).__name__
        # Pillow raises the same class of error for both.
        reason = Reason.truncated if _TRUNCATED.search(detail) else Reason.damaged
        raise DecodeError(path, reason, detail) from None


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, or 0 if the EXIF data is damaged and readers may disagree."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except (SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error):
        return 0
    return value if value in range(1, 9) else 1


def _unidentified(content: bytes) -> tuple[Reason, str]:
    if content[4:8] == b"ftyp" and content[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        return Reason.unsupported, "HEIC is not supported by Pillow: convert it to JPEG or PNG"
    if content[:4] == b"%!PS" or content[:4] == b"\xc5\xd0\xd3\xc6":
        return Reason.unsupported, "PostScript is a program, not a picture: convert it to JPEG or PNG"
    if content.startswith(_BEGINNINGS) or content[4:12] == b"ftypavif" or content[8:12] == b"WEBP":
        return Reason.damaged, "only the header of the file is that of a picture"
    is_avi = content[:4] == b"RIFF" and content[8:12] == b"AVI "
    if is_avi or content.startswith(_VIDEO_BEGINNINGS) or content[4:8] in _VIDEO_PARTS:
        return _VIDEO
    return Reason.not_an_image, "expected JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF"


def to_rgb(decoded: Decoded, path: Path) -> np.ndarray:
    """Return the pixels of a decoded picture, upright, uint8 (height, width, 3), RGB.

    Raises:
        DecodeError: the pixel mode is not supported, or the picture is damaged.
    """
    image = decoded.image
    try:
        turn = _TURNS.get(decoded.orientation)
        upright = image if turn is None else image.transpose(turn)
        if upright.mode in _SIXTEEN_BIT:
            values = np.asarray(upright, np.float64)
            if values.min() < 0 or values.max() > 65535:
                raise DecodeError(path, Reason.unsupported, "32 bits per pixel with an unknown scale")
            grey = np.round(values / 257).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        if upright.mode in ("F", "LAB"):
            raise DecodeError(path, Reason.unsupported, f"pixel mode {upright.mode}")
        if decoded.has_alpha:
            layer = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    except (OSError, ValueError) as error:
        raise DecodeError(path, Reason.damaged, one_line(error)) from None
