"""The photographs that the Python interface accepts: paths, arrays and Pillow images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from convscope import decode
from convscope.errors import ConvscopeError
from convscope.files import user_path

Photograph = str | Path | np.ndarray | Image.Image
Photographs = Photograph | Sequence[Photograph]


def as_sequence(photographs: Photographs) -> Sequence[Photograph]:
    """Return a sequence of photographs, also for a single one."""
    if isinstance(photographs, str | Path | Image.Image):
        return [photographs]
    if isinstance(photographs, np.ndarray):
        return [photographs] if photographs.ndim < 4 else list(photographs)
    return photographs


def all_pixels(photographs: Photographs) -> list[np.ndarray]:
    """Return the pixels of each photograph, uint8 (height, width, 3)."""
    photographs = as_sequence(photographs)
    if not photographs:
        raise ConvscopeError("no photographs: expected one or more")
    return [pixels_of(photograph) for photograph in photographs]


def pixels_of(photograph: Photograph) -> np.ndarray:
    """Return the pixels of a photograph, uint8 (height, width, 3).

    Raises:
        ConvscopeError: the file cannot be read, or the array has another type or shape.
    """
    if isinstance(photograph, Image.Image):
        return _pixels_of_pillow(photograph)
    if not isinstance(photograph, np.ndarray):
        return decode.load(user_path(photograph))
    if photograph.dtype != np.uint8 or photograph.ndim != 3 or photograph.shape[-1] != 3:
        raise ConvscopeError(
            f"a photograph is an array of {photograph.dtype} {photograph.shape}: expected uint8 (height, "
            "width, 3) in RGB"
        )
    return photograph


def _pixels_of_pillow(image: Image.Image) -> np.ndarray:
    """Return the pixels of a Pillow image as `decode.load` does for a file: upright, on white."""
    orientation = image.getexif().get(decode.ORIENTATION, 1)
    decoded = decode.Decoded(
        image, image.mode, image.format or "", orientation, is_deep=False, is_animated=False
    )
    return decode.to_rgb(decoded, Path("the Pillow image"))
