"""The manifest: what a data set holds, and where. The one thing that training reads of stage 1."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from convscope.errors import ConvscopeError
from convscope.files import sha256, write_json
from convscope.images import SUFFIXES

SPLITS = ("train", "validation", "test")
VERSION = 1
FILE = "manifest.json"


@dataclass(frozen=True)
class ImageRecord:
    """One image: `path` is relative to the data set's folder, with forward slashes.

    `source` says where it came from, `width` and `height` are in pixels, `mask` is the path of its
    ground-truth mask or None.
    """

    path: str
    split: str
    label: str
    source: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    mask: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the manifest keeps it: the label is called `class`."""
        content: dict[str, Any] = {
            "path": self.path,
            "split": self.split,
            "class": self.label,
            "source": self.source,
            "sha256": self.sha256,
            "width": self.width,
            "height": self.height,
        }
        return content | ({"mask": self.mask} if self.mask else {})


@dataclass(frozen=True)
class Manifest:
    """A data set: its classes, sorted; how it was split, and from what; its images.

    `rejected` lists files that were left out, as `{"source", "reason"}`.
    """

    name: str
    classes: list[str]
    split: dict[str, Any]
    images: list[ImageRecord]
    origin: dict[str, Any] = field(default_factory=dict)
    rejected: list[dict[str, str]] = field(default_factory=list)

    def of_split(self, split: str) -> list[ImageRecord]:
        """The images of one split, in the manifest's order."""
        return [image for image in self.images if image.split == split]

    def counts(self) -> dict[str, Counter[str]]:
        """How many images each split has of each class."""
        result = {split: Counter[str]() for split in SPLITS}
        for image in self.images:
            result[image.split][image.label] += 1
        return result

    def write(self, root: Path) -> None:
        """Write `manifest.json` into the data set's folder."""
        content = {
            "version": VERSION,
            "name": self.name,
            "classes": self.classes,
            "split": self.split,
            "origin": self.origin,
            "rejected": self.rejected,
            "images": [image.to_json() for image in self.images],
        }
        write_json(root / FILE, content)


def open_dataset(root: Path) -> Manifest:
    """The manifest of the data set in `root`; one split by hand, without a manifest, is listed.

    Raises:
        ConvscopeError: there is no such data set, its manifest is malformed or leads out of the folder.
    """
    if (root / FILE).is_file():
        return _read(root)
    if any((root / split).is_dir() for split in SPLITS):
        return _list_folders(root)
    siblings = root.parent.glob(f"*/{FILE}") if root.parent.is_dir() else []
    known = ", ".join(sorted(path.parent.name for path in siblings)) or "none"
    raise ConvscopeError(
        f"no data set at {root} (in {root.parent} there is: {known}); make it with "
        f"'python create_train_val_test.py', and the same dataset=… and dataset.name=…"
    )


def manifest_hash(root: Path) -> str | None:
    """The SHA-256 of the data set's `manifest.json`, or None if it has none."""
    path = root / FILE
    return sha256(path) if path.is_file() else None


def _read(root: Path) -> Manifest:
    path = root / FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        images = [_record(entry) for entry in content["images"]]
        manifest = Manifest(
            name=str(content["name"]),
            classes=[str(name) for name in content["classes"]],
            split=dict(content["split"]),
            images=images,
            origin=dict(content.get("origin", {})),
            rejected=list(content.get("rejected", [])),
        )
        version = content["version"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConvscopeError(
            f"malformed {path} ({type(error).__name__}: {error}); make the data set again"
        ) from None
    if version != VERSION:
        raise ConvscopeError(f"{path} has version {version!r}, expected {VERSION}: make it again")
    for image in images:
        if image.label not in manifest.classes:
            raise ConvscopeError(f"malformed {path}: {image.path} has the class {image.label!r}")
    return manifest


def _record(entry: dict[str, Any]) -> ImageRecord:
    mask = entry.get("mask")
    for inner in (entry["path"], mask or "none"):
        place = PurePosixPath(inner)
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(f"{inner!r} leads out of the data set's folder")
    if entry["split"] not in SPLITS:
        raise ValueError(f"{entry['path']!r} is in split {entry['split']!r}")
    return ImageRecord(
        path=entry["path"],
        split=entry["split"],
        label=str(entry["class"]),
        source=str(entry.get("source", "")),
        sha256=str(entry.get("sha256", "")),
        width=int(entry.get("width", 0)),
        height=int(entry.get("height", 0)),
        mask=mask,
    )


def _list_folders(root: Path) -> Manifest:
    images = [
        ImageRecord(path=path.relative_to(root).as_posix(), split=split, label=path.parent.name)
        for split in SPLITS
        for path in sorted(root.glob(f"{split}/*/*"))
        if path.suffix.lower() in SUFFIXES
    ]
    classes = sorted({image.label for image in images})
    return Manifest(root.name, classes, {"of": "folders"}, images)
