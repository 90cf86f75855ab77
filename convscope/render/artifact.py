"""What a run wrote: views, which are pictures, and other files; and what is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convscope import images


@dataclass(frozen=True)
class View:
    """A picture or animation that was written: what the page shows and the manifest lists.

    `path` is relative to the run directory, with forward slashes; `provenance` says how the picture
    came about (layer, photograph, value range, colour map, …); `size` is (height, width) in pixels.
    """

    path: str
    title: str
    caption: str
    size: tuple[int, int]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def format(self) -> str:
        """What its file is: "PNG", "GIF", "MP4"."""
        return self.path.rpartition(".")[2].upper()

    def to_json(self) -> dict[str, Any]:
        """As the run's `manifest.json` lists it."""
        return {"path": self.path, "title": self.title, "caption": self.caption} | self.provenance


@dataclass(frozen=True)
class DataFile:
    """A file of a run that is no picture: a table or arrays. Fields as of `View`."""

    path: str
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As the run's `manifest.json` lists it."""
        return {"path": self.path} | self.provenance


def write_view(
    directory: Path,
    path: str,
    picture: np.ndarray | images.Indexed,
    *,
    title: str,
    caption: str,
    provenance: Mapping[str, Any],
) -> View:
    """Write a picture under the run directory: PNG, or JPEG for `.jpg`.

    It is uint8 (height, width, 3), or has a palette. A PNG carries title, caption and provenance in its
    text chunks.
    """
    if path.endswith(".jpg"):
        images.save_jpeg(directory / path, picture)
    else:
        text = {"Title": title, "Description": caption, "Software": "convscope"}
        text |= {key: str(value) for key, value in provenance.items()}
        images.save_png(directory / path, picture, text)
    height, width = picture.shape[:2]
    return View(path, title, caption, (height, width), dict(provenance))


def view_of_chart(
    directory: Path, path: str, *, title: str, caption: str, provenance: Mapping[str, Any]
) -> View:
    """The view of a PNG that Matplotlib wrote: its text chunks are filled in, its pixels stay."""
    pixels = images.load_png(directory / path)
    return write_view(directory, path, pixels, title=title, caption=caption, provenance=provenance)
