"""A folder as a source of images: classes by folder, by a pattern on the path, or by a table."""

import csv
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from convscope import names
from convscope.data.inspect import Candidate, Rejected
from convscope.decode import SUFFIXES
from convscope.errors import ConvscopeError, unknown

NO_CLASS = "no class"
PARTS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}

Found = tuple[list[Candidate], list[Rejected]]


def find(
    source: Path,
    *,
    class_pattern: str | None = None,
    labels: Path | None = None,
    classes: Sequence[str] = (),
    predefined: bool = False,
    origin: str | None = None,
) -> Found:
    """Every file under `source` that has a class, and those that have none.

    Without `class_pattern` and `labels` the class is the name of a folder: the topmost on the way down to
    the file that holds files with the ending of an image. Hidden files are passed over; links to
    folders are not followed.

    Args:
        source: the folder.
        class_pattern: a regular expression that is searched in the path relative to `source`, with
            forward slashes; the class is its group named `class`, else its first, else all it matched.
        labels: a CSV file with the columns `path`, relative to `source`, and `class`.
        classes: only these; all if empty.
        predefined: take the split of each file from a folder on its path (train, val, test, …), or from
            the table's column `split`.
        origin: what the manifest shall name instead of the folder, if it is not to stay.

    Raises:
        ConvscopeError: no such folder or table, a pattern that is none or matches nothing, fewer than two
            classes, folders of one name in several places, a class without files.
    """
    if not source.is_dir():
        raise ConvscopeError(
            f"no folder at {source}: give dataset.source= a folder that holds a folder of images "
            "for each class"
        )
    if labels is not None:
        listed = _listed(source, labels)
    elif class_pattern is not None:
        listed = _matching(source, class_pattern)
    else:
        listed = _in_class_folders(source)
    found, rejected = [], []
    for relative, label, part in listed:
        named = names.printable(f"{origin}/{relative}" if origin else str((source / relative).absolute()))
        if label is None:
            rejected.append(Rejected(named, NO_CLASS, part or "it lies in no class folder"))
            continue
        key = unicodedata.normalize("NFC", names.printable(relative))
        part = (part or _part_of(relative)) if predefined else None
        found.append(Candidate(source / relative, label, key, named, part=part))
    _check(source, found, classes, predefined=predefined)
    found = [each for each in found if not classes or each.label in classes]
    return found, rejected


Listed = Iterator[tuple[str, str | None, str | None]]  # path, class, split or why there is no class


def _walk(source: Path) -> Iterator[tuple[PurePosixPath, list[str]]]:
    """Every folder below `source` that is not hidden, relative to it, with the names of its files; sorted."""
    for parent, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        inside = PurePosixPath(Path(parent).relative_to(source).as_posix())
        yield inside, sorted(name for name in files if not name.startswith("."))


def _is_image_name(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _in_class_folders(source: Path) -> Listed:
    inside = dict(_walk(source))
    holding = {folder for folder, files in inside.items() if any(map(_is_image_name, files))}
    top = PurePosixPath(".")
    class_of: dict[PurePosixPath, PurePosixPath | None] = {top: None}
    for folder in inside:
        if folder != top:
            above = class_of[folder.parent]
            class_of[folder] = above or (folder if folder in holding else None)
    _check_places(source, {folder for folder in class_of.values() if folder})
    _check_empty(source, inside, {folder for folder in class_of.values() if folder})
    for folder, files in inside.items():
        owner = class_of[folder]
        for name in files:
            yield str(folder / name), owner.name if owner else None, None


def _check_places(source: Path, class_folders: set[PurePosixPath]) -> None:
    """Refuse cats/2019 beside dogs/2019, where the folder that holds the images is not the class."""
    places = defaultdict(set)
    for folder in class_folders:
        if _part_of(str(folder)) is None:
            places[folder.name].add(folder.parent)
    for name, parents in sorted(places.items()):
        depths = Counter(len(parent.parts) for parent in parents)
        level = sorted(parent for parent in parents if depths[len(parent.parts)] > 1)
        if level:
            first, second = level[:2]
            raise ConvscopeError(
                f"{source} holds images in {first}/{name} and in {second}/{name}, so the folder may not be "
                "the class: say which part of the path is, dataset.class_pattern='^([^/]+)/' for the topmost "
                f"folder, dataset.class_pattern='([^/]+)/[^/]+$' for {name!r}"
            )


def _check_empty(
    source: Path, inside: Mapping[PurePosixPath, list[str]], class_folders: set[PurePosixPath]
) -> None:
    """Refuse a folder without any file among the class folders: a class was meant."""
    filled = {parent for folder, files in inside.items() if files for parent in (folder, *folder.parents)}
    for folder in inside:
        if folder not in filled and any(other.parent == folder.parent for other in class_folders):
            raise ConvscopeError(f"class folder {source / folder} holds no images: put some in or remove it")


def _matching(source: Path, pattern: str) -> Listed:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConvscopeError(
            f"dataset.class_pattern={pattern!r} is no regular expression ({error}): expected one such as "
            "'^([^/]+)/'"
        ) from None
    paths = [str(folder / name) for folder, files in _walk(source) for name in files]
    matches = [compiled.search(path) for path in paths]
    if paths and not any(matches):
        raise ConvscopeError(
            f"dataset.class_pattern={pattern!r} matches no path in {source}, such as {paths[0]!r}: mend it"
        )
    for path, match in zip(paths, matches, strict=True):
        if match is None:
            yield path, None, f"its path does not match {pattern!r}"
            continue
        label = match.group("class") if "class" in compiled.groupindex else match[1 if compiled.groups else 0]
        yield path, label or None, None if label else "the pattern found an empty class"


def _listed(source: Path, table: Path) -> Listed:
    rows = _read_table(table)
    seen: dict[str, tuple[str, int]] = {}
    for line, row in rows:
        path, label = (row["path"] or "").strip(), (row["class"] or "").strip()
        place = PurePosixPath(path)
        if not path or place.is_absolute() or ".." in place.parts or "\\" in path or "\0" in path:
            raise ConvscopeError(
                f"{table} line {line} has the path {path!r}: expected one relative to {source}, and inside"
            )
        earlier = seen.setdefault(path, (label, line))
        if earlier[0] != label:
            raise ConvscopeError(
                f"{table} gives {path!r} the class {earlier[0]!r} in line {earlier[1]} and {label!r} in line "
                f"{line}: expected one class an image"
            )
        if earlier[1] == line:
            part = (row.get("split") or "").strip().lower()
            yield str(place), label or None, PARTS.get(part) if label else "its class is empty in the table"


def _read_table(table: Path) -> list[tuple[int, Mapping[str, str]]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = [name.strip() for name in reader.fieldnames or []]
            missing = {"path", "class"} - set(columns)
            if missing:
                raise ConvscopeError(
                    f"{table} has the columns {', '.join(columns) or 'none'}: expected path and class"
                )
            reader.fieldnames = columns
            return [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        raise ConvscopeError(
            f"cannot read dataset.labels={table} ({error}): expected a CSV file in UTF-8 with the columns "
            "path and class"
        ) from None


def _part_of(relative: str) -> str | None:
    folders = (part.lower() for part in PurePosixPath(relative).parts[:-1])
    return next((PARTS[folder] for folder in folders if folder in PARTS), None)


def _check(source: Path, found: list[Candidate], classes: Sequence[str], *, predefined: bool) -> None:
    known = sorted({each.label for each in found})
    for name in classes:
        if name not in known:
            raise unknown("class", name, known)
    labels = list(classes) or known
    if predefined and not any(each.part for each in found):
        raise ConvscopeError(
            f"split=predefined, and {source} has no folders train, validation and test with classes in them, "
            "nor a table with the column split: expected two or more of them; split=fractions divides it anew"
        )
    if len(labels) < 2:
        held = f"one class only, {labels[0]!r}" if labels else "no class folders with images"
        raise ConvscopeError(f"{source} holds {held}: expected at least two classes, a folder of images each")
