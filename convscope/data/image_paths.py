"""The photographs that a person names: files, folders, globs, lists."""

import glob
from collections.abc import Sequence
from pathlib import Path

from convscope.decode import SUFFIXES
from convscope.errors import ConvscopeError


def find(patterns: Sequence[str]) -> list[Path]:
    """The files that `patterns` name, in their order, each once.

    A pattern is a file, a folder (its images, sub-folders' too, sorted), a glob (`**` reaches into
    sub-folders), or `@LIST.txt`, which holds one of these a line. `~` is the home folder.

    Raises:
        ConvscopeError: a pattern names nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        found.update(dict.fromkeys(_find(pattern)))
    return list(found)


def _find(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.is_dir():
        inside = sorted(each for each in path.rglob("*") if _is_image(each))
        if not inside:
            raise ConvscopeError(f"no images in folder {path} ({', '.join(sorted(SUFFIXES))})")
        return inside
    if path.exists():
        return [path]
    if pattern.startswith("@"):
        listing = Path(pattern[1:]).expanduser()
        if not listing.is_file():
            raise ConvscopeError(f"no list at {listing}: expected a text file with a path a line")
        lines = listing.read_text("utf-8-sig").splitlines()
        return [found for line in lines if line.strip() for found in _find(line.strip())]
    matches = [Path(each) for each in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    matches = [each for each in matches if _is_image(each)]
    if not matches:
        raise ConvscopeError(f"no image at {pattern}: give a file, a folder, a glob or @LIST.txt")
    return matches


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()
