"""Decoding: a file from anywhere into an upright 8-bit RGB picture, or the reason why not."""

import io
import re
import stat
import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from convscope.errors import ConvscopeError, one_line

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif", ".jp2", ".ppm", ".pgm"}
)
# Those that Pillow decodes itself: EPS and WMF would start other programs, others only look like text.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "QOI", "ICO", "TGA")
LARGEST_FILE = 512 << 20  # bytes; Pillow itself bounds the pixels
ORIENTATION = 0x0112  # the EXIF tag
_SIXTEEN_BIT = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_CUT_OFF = re.compile(r"truncated|unexpected end|not enough|EOF|end of (file|data)", re.IGNORECASE)


class Reason(StrEnum):
    """Why a file is no usable picture."""

    missing = "missing"
    not_a_file = "not a regular file"
    unreadable = "unreadable"
    zero_bytes = "zero bytes"
    not_an_image = "not an image"
    unsupported = "unsupported"
    truncated = "truncated"
    damaged = "damaged"
    bomb = "decompression bomb"


class DecodeError(ConvscopeError):
    """A file that cannot be decoded: `reason`, and `detail` in words."""

    def __init__(self, path: Path, reason: Reason, detail: str):
        super().__init__(f"cannot read {path}: {reason} ({detail})")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Decoded:
    """A picture as its file has it, decoded whole.

    `image` is Pillow's, not yet turned upright; `mode` is the file's, and `format` names its format whatever
    its ending says, both as Pillow does; `orientation` is 1 to 8 as in EXIF, 0 where that is damaged;
    `is_deep` says that it has 16 bits a channel, `is_animated` that it holds several pictures.
    """

    image: Image.Image
    mode: str
    format: str
    orientation: int
    is_deep: bool
    is_animated: bool

    @property
    def has_alpha(self) -> bool:
        """Whether a place of the picture may be transparent."""
        return self.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in self.image.info

    @property
    def is_plain(self) -> bool:
        """Whether any decoder reads these pixels alike: an upright 8-bit RGB or grey JPEG or PNG."""
        return (
            self.format in ("JPEG", "PNG")
            and self.mode in ("RGB", "L")
            and self.orientation == 1
            and not (self.is_deep or self.has_alpha or self.is_animated)
        )


def load(path: Path) -> np.ndarray:
    """The picture in a file, whole and upright.

    EXIF orientation is applied, 16-bit grey is scaled to 8 bits, transparency is laid on white, an
    animation gives its first frame.

    Returns:
        uint8 (height, width, 3), RGB, read-only.

    Raises:
        DecodeError: the file is missing, no image, damaged, or larger than Pillow's limit against
            decompression bombs.
    """
    return to_rgb(decode(read(path), path), path)


def load_plain(path: Path) -> np.ndarray:
    """What `load` gives, to the rounding of JPEG decoders, for an upright 8-bit JPEG or PNG, and sooner.

    Raises:
        DecodeError: the file is missing, no image, or damaged.
    """
    try:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    except (OSError, cv2.error):
        pixels = None
    return load(path) if pixels is None else pixels  # which says what is wrong


def read(path: Path) -> bytes:
    """A file's bytes; raises DecodeError if there are none, or more than 512 MiB."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise DecodeError(path, Reason.not_a_file, "expected a photograph")
        if about.st_size > LARGEST_FILE:
            raise DecodeError(path, Reason.bomb, f"{about.st_size >> 20} MiB; at most {LARGEST_FILE >> 20}")
        content = path.read_bytes()
    except FileNotFoundError:
        raise DecodeError(path, Reason.missing, "give the path of a photograph") from None
    except OSError as error:
        raise DecodeError(path, Reason.unreadable, error.strerror or str(error)) from None
    if not content:
        raise DecodeError(path, Reason.zero_bytes, "the file is empty")
    return content


def decode(content: bytes, path: Path, *, grey: bool = False) -> Decoded:
    """Decode the whole of a file's bytes.

    Args:
        content: the bytes.
        path: what errors name.
        grey: of a JPEG, give the luminance only. All of it is decoded still, so that damage shows, but
            colours are not put together, which is half the work.

    Raises:
        DecodeError: it is no picture, damaged, or too large.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            pixels = image.width * image.height
            if Image.MAX_IMAGE_PIXELS and pixels > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError(
                    f"{image.width}×{image.height} pixels; at most {Image.MAX_IMAGE_PIXELS:,} in all"
                )
            deep = image.mode in _SIXTEEN_BIT or any(";16" in str(tile[3]) for tile in image.tile)
            kind = image.format or ""
            moving = kind != "MPO" and getattr(image, "is_animated", False)  # MPO: a photograph, its preview
            mode = image.mode
            if grey and kind == "JPEG":
                image.draft("L", image.size)
            image.load()
            return Decoded(image, mode, kind, _orientation(image), deep, moving)
    except UnidentifiedImageError:
        raise DecodeError(path, *_what_else(content)) from None
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
        said = one_line(error) or type(error).__name__
        raise DecodeError(path, Reason.truncated if _CUT_OFF.search(said) else Reason.damaged, said) from None


def _orientation(image: Image.Image) -> int:
    """1 to 8; 0 if the file's EXIF data are damaged, so that other readers may see them otherwise."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except (SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error):
        return 0
    return value if value in range(1, 9) else 1


def _what_else(content: bytes) -> tuple[Reason, str]:
    if content[4:8] == b"ftyp" and content[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        return Reason.unsupported, "HEIC, which Pillow cannot open: convert it to JPEG or PNG"
    if content[:4] == b"%!PS" or content[:4] == b"\xc5\xd0\xd3\xc6":
        return Reason.unsupported, "PostScript, which is a program: convert it to JPEG or PNG"
    if content.startswith(_BEGINNINGS) or content[4:12] == b"ftypavif" or content[8:12] == b"WEBP":
        return Reason.damaged, "it begins as a picture and goes on as none"
    return Reason.not_an_image, "expected JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF"


def to_rgb(decoded: Decoded, path: Path) -> np.ndarray:
    """Upright 8-bit RGB, uint8 (height, width, 3); raises DecodeError for what has no true colours in it."""
    image = decoded.image
    try:
        upright = ImageOps.exif_transpose(image) if decoded.orientation > 1 else image
        if upright.mode in _SIXTEEN_BIT:
            values = np.asarray(upright, np.float64)
            if values.min() < 0 or values.max() > 65535:
                raise DecodeError(path, Reason.unsupported, "32 bits a pixel, and no scale known")
            grey = np.round(values / 257).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        if upright.mode in ("F", "LAB"):
            raise DecodeError(path, Reason.unsupported, f"pixels of the kind {upright.mode}")
        if decoded.has_alpha:
            layer = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    except (OSError, ValueError) as error:
        raise DecodeError(path, Reason.damaged, one_line(error)) from None
