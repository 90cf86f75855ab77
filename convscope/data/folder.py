"""A folder of class folders as a source of images."""

import os
from pathlib import Path

from convscope.data.candidates import Candidate
from convscope.errors import ConvscopeError
from convscope.images import SUFFIXES


def find(source: Path) -> list[Candidate]:
    """Every image file under the class folders of `source`; links to folders are not followed.

    A class is a folder directly under `source` that is not hidden; its images may lie deeper.

    Raises:
        ConvscopeError: no such folder, fewer than two class folders, a class folder without images.
    """
    if not source.is_dir():
        raise ConvscopeError(
            f"no folder at {source}: give dataset.source= a folder that holds a folder of images "
            "for each class"
        )
    folders = sorted(entry for entry in source.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(folders) < 2:
        raise ConvscopeError(_too_few(source, folders))
    return [candidate for folder in folders for candidate in _find_class(source, folder)]


def _find_class(source: Path, folder: Path) -> list[Candidate]:
    files = sorted(
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
    )
    if not files:
        raise ConvscopeError(
            f"class folder {folder} holds no images ({', '.join(sorted(SUFFIXES))}): put some in or remove it"
        )
    return [
        Candidate(path, folder.name, path.relative_to(source).as_posix(), str(path.resolve()))
        for path in files
    ]


def _too_few(source: Path, folders: list[Path]) -> str:
    expected = "expected at least two classes, a folder of images each"
    if not folders:
        return f"{source} holds no class folders: {expected}"
    inner = [entry for entry in folders[0].iterdir() if entry.is_dir()]
    if len(inner) > 1:
        return f"{source} holds one folder only: did you mean dataset.source={folders[0]}?"
    return f"{source} holds one class only, {folders[0].name!r}: {expected}"
