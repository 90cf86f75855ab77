"""A folder as a source of images: classes by folder, by a pattern on the path, or by a table."""

import os
import posixpath
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from convscope import names
from convscope.data.inspect import Candidate, Rejected
from convscope.data.label_table import read_table
from convscope.data.manifest import is_hidden
from convscope.decode import SUFFIXES
from convscope.errors import ConvscopeError, unknown

NO_CLASS = "no class"
SPLIT_OF_FOLDER = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class _Listed:
    """A file below the source: its relative path, its class, and its split in a table.

    `problem` is the reason if `label` is None.
    """

    path: str
    label: str | None
    problem: str = ""
    split: str | None = None


def find_candidates(
    source: Path,
    *,
    class_pattern: str | None = None,
    labels: Path | None = None,
    classes: Sequence[str] = (),
    predefined: bool = False,
    origin: str | None = None,
    skipped: Path | None = None,
) -> tuple[list[Candidate], list[Rejected]]:
    """Return the files below `source` that have a class, and those that have none.

    Without `class_pattern` and `labels`, the class is the name of a folder: on the path from `source` to the
    file, the topmost folder that directly contains image files. Hidden files are ignored. Links to folders
    outside `source` are followed; every folder is read once.

    Args:
        source: the folder.
        class_pattern: a regular expression that is searched in the path relative to `source` (with forward
            slashes). The class is the group named `class`, else the first group, else the whole match.
        labels: a CSV file with the columns `path` (relative to `source`) and `class`.
        classes: the classes to use; empty for all.
        predefined: use the split from a folder on the path of a file (train, val, test, …), or from the
            column `split` of the table.
        origin: the URL for the manifest instead of the folder.
        skipped: the folder of the data sets; if it is in `source`, its images are not used.

    Raises:
        ConvscopeError: the folder or table does not exist; the pattern is invalid or matches nothing; there
            are fewer than two classes; folders of the same name are in several folders; a class is empty.
    """
    if not source.is_dir():
        raise ConvscopeError(
            f"no folder at {source}: set dataset.source to a folder that contains one folder of images per "
            "class"
        )
    listed: Iterable[_Listed]
    if labels is not None:
        listed = _from_table(source, labels, predefined=predefined)
    elif class_pattern is not None:
        listed = _from_pattern(source, class_pattern, skipped)
    else:
        listed = _from_folders(source, skipped)
    candidates, rejected = [], []
    base = origin or str(source.absolute())
    for file in listed:
        name = names.printable(f"{base}/{file.path}")
        if file.label is None:
            rejected.append(Rejected(name, NO_CLASS, file.problem))
            continue
        key = unicodedata.normalize("NFC", names.printable(file.path))
        split = (file.split or _split_of(file.path)) if predefined else None
        label = names.printable(file.label)
        candidates.append(Candidate(source / file.path, label, key, name, split=split))
    _check(source, candidates, classes, predefined=predefined)
    candidates = [candidate for candidate in candidates if not classes or candidate.label in classes]
    return candidates, rejected


def _walk(source: Path, skipped: Path | None) -> Iterator[tuple[PurePosixPath, list[str]]]:
    """Yield the folders below `source` that are not hidden, relative and sorted, with their file names.

    The folder `skipped` is left out, unless `source` is in it.
    """
    top, read = source.resolve(), set()
    if skipped and not top.is_relative_to(skipped.resolve()):
        read.add(skipped.resolve())
    for parent, folders, files in os.walk(source, followlinks=True, onerror=_refuse):
        folder = Path(parent).resolve()
        is_own = folder == top / Path(parent).relative_to(source)
        leads_back = not is_own and (folder.is_relative_to(top) or top.is_relative_to(folder))
        if folder in read or leads_back:
            folders.clear()
            continue
        read.add(folder)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        inside = PurePosixPath(Path(parent).relative_to(source).as_posix())
        yield inside, sorted(name for name in files if not is_hidden(name))


def _refuse(error: OSError) -> None:
    """Raise an error about a folder that cannot be read; without it, `os.walk` leaves the folder out."""
    raise ConvscopeError(
        f"cannot read the folder {error.filename} ({error.strerror}): expected a folder that can be read; "
        "change its permissions, or move it out of dataset.source"
    )


def _is_image_name(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _from_folders(source: Path, skipped: Path | None) -> Iterator[_Listed]:
    files_of = dict(_walk(source, skipped))
    with_images = {folder for folder, files in files_of.items() if any(map(_is_image_name, files))}
    top = PurePosixPath(".")
    class_folder: dict[PurePosixPath, PurePosixPath | None] = {top: None}
    for folder in files_of:
        if folder != top:
            inherited = class_folder[folder.parent]
            class_folder[folder] = inherited or (folder if folder in with_images else None)
    class_folders = {folder for folder in class_folder.values() if folder}
    _check_depth(source, class_folders)
    _check_empty(source, files_of, class_folders)
    for folder, files in files_of.items():
        owner = class_folder[folder]
        for name in files:
            yield _Listed(str(folder / name), owner.name if owner else None, "it is in no class folder")


def _check_depth(source: Path, class_folders: Collection[PurePosixPath]) -> None:
    """Refuse cats/2019 beside dogs/2019, where the folder that contains the images is not the class."""
    parents_of = defaultdict(set)
    for folder in class_folders:
        if _split_of(str(folder)) is None:
            parents_of[folder.name].add(folder.parent)
    for name, parents in sorted(parents_of.items()):
        depths = Counter(len(parent.parts) for parent in parents)
        same_depth = sorted(parent for parent in parents if depths[len(parent.parts)] > 1)
        if same_depth:
            first, second = same_depth[:2]
            raise ConvscopeError(
                f"{source} contains images in {first}/{name} and in {second}/{name}, so {name!r} may not be "
                "a class: set dataset.class_pattern='^([^/]+)/' to use the topmost folder as the class, or "
                f"dataset.class_pattern='([^/]+)/[^/]+$' to use {name!r}"
            )


def _check_empty(
    source: Path, files_of: Mapping[PurePosixPath, list[str]], class_folders: Collection[PurePosixPath]
) -> None:
    """Refuse an empty folder beside class folders: it is probably a class."""
    filled = {parent for folder, files in files_of.items() if files for parent in (folder, *folder.parents)}
    for folder in files_of:
        if folder not in filled and any(other.parent == folder.parent for other in class_folders):
            raise ConvscopeError(f"class folder {source / folder} is empty: add images or remove the folder")


def _from_pattern(source: Path, pattern: str, skipped: Path | None) -> Iterator[_Listed]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConvscopeError(
            f"dataset.class_pattern={pattern!r} is not a regular expression ({error}): expected one, for "
            "example '^([^/]+)/'"
        ) from None
    paths = [str(folder / name) for folder, files in _walk(source, skipped) for name in files]
    matches = [compiled.search(path) for path in paths]
    if paths and not any(matches):
        raise ConvscopeError(
            f"dataset.class_pattern={pattern!r} matches no path in {source}: expected a pattern that matches "
            f"paths such as {paths[0]!r}"
        )
    for path, match in zip(paths, matches, strict=True):
        if match is None:
            yield _Listed(path, None, f"its path does not match {pattern!r}")
            continue
        label = match.group("class") if "class" in compiled.groupindex else match[1 if compiled.groups else 0]
        yield _Listed(path, label or None, "the pattern matches an empty class name")


def _from_table(source: Path, table: Path, *, predefined: bool) -> list[_Listed]:
    first_row: dict[str, tuple[str, int]] = {}
    listed = []
    for row in read_table("dataset.labels", table):
        line, text, label = row.line, row.path, row.label
        if not text or text.startswith("/") or ".." in text.split("/") or "\\" in text or "\0" in text:
            raise ConvscopeError(
                f"{table} line {line} has the path {text!r}: expected a relative path inside {source}"
            )
        path = posixpath.normpath(text)
        other_label, other_line = first_row.setdefault(path, (label, line))
        if other_label != label:
            raise ConvscopeError(
                f"{table} gives {path!r} the class {other_label!r} in line {other_line} and {label!r} "
                f"in line {line}: expected one class per image"
            )
        if other_line == line:
            split = SPLIT_OF_FOLDER.get(row.split.lower())
            if predefined and row.split and split is None:
                raise ConvscopeError(
                    f"{table} gives {path!r} the split {row.split!r} in line {line}: expected train, "
                    "validation or test, or an empty field for the split of its folder"
                )
            listed.append(_Listed(path, label or None, "its class is empty in the table", split))
    if listed and not any(os.path.lexists(f"{source}/{file.path}") for file in listed):
        raise ConvscopeError(
            f"{table} lists {len(listed):,} files, such as {listed[0].path}, but none of them is in "
            f"{source}: expected paths relative to this folder"
        )
    return listed


def _split_of(relative: str) -> str | None:
    folders = (part.lower() for part in PurePosixPath(relative).parts[:-1])
    return next((SPLIT_OF_FOLDER[folder] for folder in folders if folder in SPLIT_OF_FOLDER), None)


def _check(
    source: Path, candidates: Sequence[Candidate], classes: Sequence[str], *, predefined: bool
) -> None:
    known = sorted({candidate.label for candidate in candidates})
    for name in classes:
        if name not in known:
            raise unknown("class", name, known)
    labels = list(classes) or known
    if predefined and not any(candidate.split for candidate in candidates):
        raise ConvscopeError(
            f"split=predefined, but {source} has no folders train, validation and test that contain classes, "
            "and no table with the column split: add at least two of them, or use split=fractions"
        )
    if len(labels) < 2:
        content = f"only one class, {labels[0]!r}" if labels else "no class folders with images"
        raise ConvscopeError(
            f"{source} contains {content}: expected at least two classes, one folder of images per class"
        )
