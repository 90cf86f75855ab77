"""A file that a run writes: a picture, an animation, a table or arrays, with its provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from convscope import images

PHOTOGRAPHS = "photographs"  # the folder of the photographs as the page shows them, and their view
_ON_PAGE = ("layer", "class", "method")  # of the provenance


class Role(StrEnum):
    """How the page shows an artifact.

    A `figure` is a picture or a video (MP4) with its caption. An `overlay` is shown on top of its photograph,
    with a slider. A `link` appears in the caption of the figure with the same title, or, without such a
    figure, in a list. A `file` is not shown. The scripts of the page load `data` when they need it.
    """

    figure = "figure"
    overlay = "overlay"
    link = "link"
    file = "file"
    data = "data"


@dataclass(frozen=True)
class Artifact:
    """A file of a run.

    Attributes:
        path: relative to the run directory, with forward slashes.
        title: a short title; for a picture of one layer, the layer's path.
        caption: one sentence on what the picture shows.
        content: the bytes of the file; None if the file exists already.
        view: the name of the view that made it.
        photograph: the key of the photograph that it shows, or None.
        role: how the page shows it.
        size: height and width in pixels; None for tables and arrays.
        provenance: how it was made (layer, hashes, value range, color map, ...).
        data: what the page needs to know of the file before it loads it, as JSON: `kind` says what it is.
    """

    path: str
    title: str
    caption: str = ""
    content: bytes | None = None
    view: str = ""
    photograph: str | None = None
    role: Role = Role.figure
    size: tuple[int, int] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.rpartition("/")[2]

    @property
    def format(self) -> str:
        """The file format: "PNG", "GIF", "MP4", "CSV"."""
        return self.path.rpartition(".")[2].upper()

    def on_page(self) -> dict[str, Any]:
        """Return what the page needs to know of the file, as JSON; empty values are left out."""
        known = {
            "path": self.path,
            "title": self.title,
            "caption": self.caption,
            "view": self.view,
            "photograph": self.photograph,
            "role": str(self.role),
            "size": self.size,
            "data": self.data,
            **{name: self.provenance.get(name) for name in _ON_PAGE},
        }
        if self.role is Role.data:
            known["key"] = self.path.removesuffix(".js")
        return {name: value for name, value in known.items() if value not in (None, "")}

    def to_json(self) -> dict[str, Any]:
        """Return the entry in the run's `manifest.json`."""
        return {"path": self.path, "title": self.title, "caption": self.caption} | dict(self.provenance)


def encode_picture(
    path: str,
    picture: np.ndarray | images.Indexed,
    *,
    title: str,
    caption: str,
    provenance: Mapping[str, Any],
) -> bytes:
    """Return a picture as the content of a file: JPEG if `path` ends in `.jpg`, else PNG.

    Args:
        path: the name of the file.
        picture: uint8 (height, width, 3), or a picture with a palette.
        title: written into the text chunks of a PNG or the comment of a JPEG (see `images.jpeg_bytes`), like
            the other arguments.
        caption: see `title`.
        provenance: see `title`.
    """
    text = {"Title": title, "Description": caption, "Software": "convscope"}
    text |= {key: str(value) for key, value in provenance.items()}
    encode = images.jpeg_bytes if path.endswith(".jpg") else images.png_bytes
    return encode(picture, text)
