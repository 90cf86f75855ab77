"""Small pictures inside a page, as `data:` URLs."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 112  # pixels of the longer side


@dataclass(frozen=True)
class Thumbnail:
    """A small picture with a title and a remark; `address` is a `data:` URL, or None without a picture."""

    address: str | None
    title: str
    remark: str = ""


def data_address(pixels: np.ndarray) -> str:
    """Return a picture, uint8 (height, width, 3), as a `data:` URL in JPEG format."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def file_address(path: Path) -> str:
    """Return a PNG file as a `data:` URL."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
