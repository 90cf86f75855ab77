"""Small pictures inside a page, as `data:` addresses."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 112  # pixels, of the longer side


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, as a data address, or None where there is none to show; its title and a remark."""

    address: str | None
    title: str
    remark: str = ""


def data_address(pixels: np.ndarray) -> str:
    """A uint8 picture (height, width, 3) as a `data:` address that holds a JPEG of it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def file_address(path: Path) -> str:
    """A PNG file as a `data:` address."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
