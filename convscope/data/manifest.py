"""The manifest: what a data set holds, and where. The one thing that training reads of stage 1."""

import json
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from convscope.decode import SUFFIXES
from convscope.errors import ConvscopeError
from convscope.files import sha256, write_json

SPLITS = ("train", "validation", "test")
VERSION = 2
FILE = "manifest.json"
FOLDS = "folds"
_ALWAYS = {"path", "split", "class", "source", "sha256", "width", "height"}


@dataclass(frozen=True)
class ImageRecord:
    """One image: `path` is relative to the data set's folder, with forward slashes.

    `source` says where it came from, and `key` names it there as it does on every machine; `sha256` is of its
    bytes, `original` of those that it was converted from, or empty; `phash` is its perceptual hash in
    hexadecimal or empty; `width` and `height` are in pixels, `mask` is the path of its ground-truth mask or
    None.
    """

    path: str
    split: str
    label: str
    source: str = ""
    key: str = ""
    sha256: str = ""
    original: str = ""
    phash: str = ""
    width: int = 0
    height: int = 0
    mask: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the manifest keeps it: the label is called `class`."""
        content = {
            "path": self.path,
            "split": self.split,
            "class": self.label,
            "source": self.source,
            "key": self.key,
            "sha256": self.sha256,
            "original": self.original,
            "phash": self.phash,
            "width": self.width,
            "height": self.height,
            "mask": self.mask,
        }
        return {name: value for name, value in content.items() if value or name in _ALWAYS}


@dataclass(frozen=True)
class Manifest:
    """A data set: its classes in the order of a model's outputs; its images; how they came about.

    `split`, `inspect` and `origin` are the settings it was made with. `source` says where the images are
    from: `url` or `folder`, `version`, `licence`. `rejected` lists files that were left out, as `{"source",
    "reason", "detail"}`; `duplicates` the groups of images that are the same or nearly, as `{"kind",
    "images"}` with their paths; `conflicts` those of them that are in several classes. `handled` counts
    what was uncommon. `pixels` has `mean` and `deviation` of each channel, 0 to 255, and over how many
    `images` of train.
    """

    name: str
    classes: list[str]
    split: dict[str, Any]
    images: list[ImageRecord]
    origin: dict[str, Any] = field(default_factory=dict)
    inspect: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    rejected: list[dict[str, str]] = field(default_factory=list)
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    handled: dict[str, int] = field(default_factory=dict)
    pixels: dict[str, Any] = field(default_factory=dict)

    def of_split(self, split: str) -> list[ImageRecord]:
        """The images of one split, in the manifest's order."""
        return [image for image in self.images if image.split == split]

    def counts(self) -> dict[str, Counter[str]]:
        """How many images each split has of each class."""
        result = {split: Counter[str]() for split in SPLITS}
        for image in self.images:
            result[image.split][image.label] += 1
        return result

    def write(self, root: Path, name: str = FILE) -> None:
        """Write `manifest.json`, or the manifest of a fold, into the data set's folder."""
        content = {"version": VERSION, **{key: getattr(self, key) for key in _HEAD}}
        write_json(root / name, content | {"images": [image.to_json() for image in self.images]})


_HEAD = tuple(each.name for each in fields(Manifest) if each.name != "images")


def open_dataset(root: Path, fold: int | None = None) -> Manifest:
    """The manifest of the data set in `root`; one split by hand, without a manifest, is listed.

    With `fold`, its images of that fold are for validation and those of the others for training.

    Raises:
        ConvscopeError: there is no such data set or fold, its manifest is malformed or leads out of the
            folder.
    """
    if fold is not None:
        return _read(_fold_file(root, fold))
    if (root / FILE).is_file():
        return _read(root / FILE)
    if any((root / split).is_dir() for split in SPLITS):
        return _list_folders(root)
    siblings = root.parent.glob(f"[!.]*/{FILE}") if root.parent.is_dir() else []
    known = ", ".join(sorted(path.parent.name for path in siblings)) or "none"
    raise ConvscopeError(
        f"no data set at {root} (in {root.parent} there is: {known}); make it with "
        f"'python create_train_val_test.py', and the same dataset=… and dataset.name=…"
    )


def manifest_hash(root: Path, fold: int | None = None) -> str | None:
    """The SHA-256 of the data set's manifest, or None if it has none."""
    path = root / FILE if fold is None else _fold_file(root, fold)
    return sha256(path) if path.is_file() else None


def fold_name(fold: int) -> str:
    """The file of a fold's manifest, relative to the data set's folder."""
    return f"{FOLDS}/{fold}.json"


def _fold_file(root: Path, fold: int) -> Path:
    path = root / fold_name(fold)
    if not path.is_file():
        known = sorted(int(each.stem) for each in path.parent.glob("*.json") if each.stem.isdigit())
        there = f"it has those from 0 to {known[-1]}" if known else "it has none; split.folds=5 makes five"
        raise ConvscopeError(f"dataset.fold={fold}: no such fold in {root}, {there}")
    return path


def _read(path: Path) -> Manifest:
    try:
        content = json.loads(path.read_text("utf-8"))
        version = content["version"]
        if version != VERSION:
            raise ConvscopeError(
                f"{path} has version {version!r}, expected {VERSION}: make it again with overwrite=true"
            )
        images = [_record(entry) for entry in content["images"]]
        head = {key: content[key] for key in _HEAD if key in content}
        manifest = Manifest(images=images, **head | {"classes": [str(name) for name in head["classes"]]})
        _check_kinds(manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConvscopeError(
            f"malformed {path} ({type(error).__name__}: {error}); make the data set again with overwrite=true"
        ) from None
    for image in images:
        if image.label not in manifest.classes:
            raise ConvscopeError(f"malformed {path}: {image.path} has the class {image.label!r}")
    return manifest


def _check_kinds(manifest: Manifest) -> None:
    lists, texts = ("classes", "rejected", "duplicates", "conflicts"), ("name",)
    for key in _HEAD:
        kind = list if key in lists else str if key in texts else dict
        if not isinstance(getattr(manifest, key), kind):
            raise TypeError(f"{key!r} is no {kind.__name__}")


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
        key=str(entry.get("key", "")),
        sha256=str(entry.get("sha256", "")),
        original=str(entry.get("original", "")),
        phash=str(entry.get("phash", "")),
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
