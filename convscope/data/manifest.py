"""The manifest of a data set: classes, images and settings. Stage 2 reads only the manifest and images."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from convscope import invocation
from convscope.decode import SUFFIXES
from convscope.errors import ConvscopeError
from convscope.files import read_json, write_json
from convscope.names import check_class_names

SPLITS = ("train", "validation", "test")
VERSION = 2
FILE = "manifest.json"
FOLDS = "folds"
_ALWAYS = {"path", "split", "class", "source", "sha256", "width", "height"}


@dataclass(frozen=True)
class ImageRecord:
    """One image: `path` is relative to the folder of the data set, with forward slashes.

    `source` is the origin of the file; `key` is its name in the source, the same on every machine. `sha256`
    is the hash of the bytes; `original` is the hash of the file before a conversion, or empty. `phash` is the
    perceptual hash in hexadecimal, or empty. `width` and `height` are in pixels. `mask` is the path of the
    ground-truth mask or None. `size` is the number of bytes and `modified` the modification time in
    nanoseconds, both 0 if they are not known.
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
    size: int = 0
    modified: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the manifest; it calls the label `class`."""
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
            "size": self.size,
            "modified": self.modified,
            "mask": self.mask,
        }
        return {name: value for name, value in content.items() if value or name in _ALWAYS}


@dataclass(frozen=True)
class Manifest:
    """A data set: its images, and its classes in the order of the outputs of a model.

    `split`, `inspect` and `origin` are the settings of stage 1; `split` also has the version of the algorithm
    that divided the images (see `split.ALGORITHM`). `source` describes the origin of the images:
    `url` or `folder`, `version`, `licence`. `rejected` lists the files that were left out as `{"source",
    "reason", "detail"}`. `duplicates` lists groups of equal or nearly equal images as `{"kind", "images"}`
    with their paths; `conflicts` lists the groups with more than one class. `handled` counts unusual
    properties of the files. `pixels` has the `mean` and `deviation` of each channel, 0 to 255, and the
    number of training `images` that were measured.
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

    @property
    def split_sha256(self) -> str | None:
        """A hash of the contents, class and split of all images; None if the hash of an image is missing.

        It depends neither on paths nor on the name of the data set. A converted image counts as its original.
        """
        if not all(image.sha256 for image in self.images):
            return None
        lines = sorted(f"{i.original or i.sha256} {i.split} {i.label}" for i in self.images)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def of_split(self, split: str) -> list[ImageRecord]:
        """Return the images of one split, in the order of the manifest."""
        return [image for image in self.images if image.split == split]

    def counts(self) -> dict[str, Counter[str]]:
        """Return the number of images of each class in each split."""
        result = {split: Counter[str]() for split in SPLITS}
        for image in self.images:
            result[image.split][image.label] += 1
        return result

    def sizes(self) -> dict[str, int]:
        """Return the number of images in each split."""
        return {split: counts.total() for split, counts in self.counts().items()}

    def write(self, root: Path, name: str = FILE) -> None:
        """Write `manifest.json`, or the manifest of a fold, into the folder of the data set."""
        content = {"version": VERSION, **{key: getattr(self, key) for key in _HEAD}}
        content["split_sha256"] = self.split_sha256  # for people and other programs
        write_json(root / name, content | {"images": [image.to_json() for image in self.images]})


_HEAD = tuple(item.name for item in fields(Manifest) if item.name != "images")


def open_dataset(root: Path, fold: int | None = None) -> Manifest:
    """Return the manifest of the data set in `root`; without a manifest file, list its split folders.

    With `fold`, the images of that fold are the validation split, and those of the other folds are train.

    Raises:
        ConvscopeError: the data set or the fold does not exist, or its manifest is malformed or contains a
            path outside the folder.
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
        f"no data set at {root} ({root.parent} contains: {known}): make it with "
        f"'{invocation.command('create_train_val_test')}' and the same dataset=… and dataset.name=…"
    )


def manifest_hash(root: Path, fold: int | None = None) -> str | None:
    """Return the SHA-256 of the manifest file without modification times, or None without a manifest."""
    path = root / FILE if fold is None else _fold_file(root, fold)
    if not path.is_file():
        return None
    content = re.sub(rb',\n *"modified": \d+', b"", path.read_bytes())
    return hashlib.sha256(content).hexdigest()


def fold_name(fold: int) -> str:
    """Return the path of the manifest of a fold, relative to the folder of the data set."""
    return f"{FOLDS}/{fold}.json"


def _fold_file(root: Path, fold: int) -> Path:
    path = root / fold_name(fold)
    if not path.is_file():
        known = sorted(int(file.stem) for file in path.parent.glob("*.json") if file.stem.isdigit())
        hint = (
            f"expected 0 to {known[-1]}"
            if known
            else "make the data set with split.folds=5 to get five folds"
        )
        raise ConvscopeError(f"dataset.fold={fold} does not exist in {root}: {hint}")
    return path


def _read(path: Path) -> Manifest:
    try:
        content = read_json(path)
        version = content["version"]
        if version != VERSION:
            raise ConvscopeError(
                f"{path} has version {version!r}, expected {VERSION}: make the data set again with "
                "overwrite=true"
            )
        images = [_record(entry) for entry in content["images"]]
        head = {key: content[key] for key in _HEAD if key in content}
        manifest = Manifest(images=images, **head)
        _check_kinds(manifest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ConvscopeError(
            f"malformed {path} ({type(error).__name__}: {error}): make the data set again with overwrite=true"
        ) from None
    classes = set(manifest.classes)
    for image in images:
        if image.label not in classes:
            raise ConvscopeError(
                f"malformed {path}: {image.path} has the class {image.label!r}, which is not in classes"
            )
    return manifest


def _check_kinds(manifest: Manifest) -> None:
    lists, texts = ("classes", "rejected", "duplicates", "conflicts"), ("name",)
    for key in _HEAD:
        kind = list if key in lists else str if key in texts else dict
        if not isinstance(getattr(manifest, key), kind):
            raise TypeError(f"{key!r} is not a {kind.__name__}")
    check_class_names(manifest.classes, "classes")


def _record(entry: dict[str, Any]) -> ImageRecord:
    mask = entry.get("mask")
    for text in (entry["path"], mask or "none"):
        if text.startswith("/") or ".." in text.split("/"):  # PurePosixPath takes half of the time to read
            raise ValueError(f"{text!r} is outside the folder of the data set")
        if "\0" in text:
            raise ValueError(f"{text!r} is not a path")
    if entry["split"] not in SPLITS:
        raise ValueError(f"{entry['path']!r} is in the unknown split {entry['split']!r}")
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
        size=int(entry.get("size", 0)),
        modified=int(entry.get("modified", 0)),
        mask=mask,
    )


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or is one that macOS adds to archives."""
    return name.startswith((".", "__MACOSX"))


def _list_folders(root: Path) -> Manifest:
    images = [
        ImageRecord(path=path.relative_to(root).as_posix(), split=split, label=path.parent.name)
        for split in SPLITS
        for path in sorted(root.glob(f"{split}/*/*"))
        if path.suffix.lower() in SUFFIXES and not any(map(is_hidden, (path.parent.name, path.name)))
    ]
    classes = sorted({image.label for image in images})
    return Manifest(root.name, classes, {"of": "folders"}, images)
