"""Photographs given by the user: files, folders, globs, lists."""

import glob
from collections.abc import Sequence, Set
from pathlib import Path
from typing import TypeVar

from convscope.decode import SUFFIXES, VIDEO_SUFFIXES
from convscope.errors import ConvscopeError
from convscope.files import user_path

Item = TypeVar("Item")


def find(patterns: Sequence[str], *, videos: bool = False) -> list[Path]:
    """Return the files that match `patterns`, in order, without repetitions.

    A pattern is a file, a folder (its images and those of its sub-folders, sorted), a glob (`**` matches
    sub-folders), or `@LIST.txt`, a text file with one pattern per line. `~` is the home folder.

    Args:
        patterns: what to search.
        videos: whether folders and globs also give the videos in them.

    Raises:
        ConvscopeError: a pattern matches no image, or a list includes itself.
    """
    paths: dict[Path, None] = {}
    suffixes = SUFFIXES | VIDEO_SUFFIXES if videos else SUFFIXES
    for pattern in patterns:
        paths.update(dict.fromkeys(_find(pattern, suffixes, ())))
    return list(paths)


def part_of(photographs: Sequence[Item], number: int, count: int) -> Sequence[Item]:
    """Return every `count`-th photograph, beginning with `number`.

    Raises:
        ConvscopeError: there are fewer photographs than parts.
    """
    if count > len(photographs):
        raise ConvscopeError(
            f"shards={count}: there is nothing to draw in some shards; expected at most "
            f"{len(photographs)}, the number of photographs"
        )
    return photographs[number::count]


def _find(pattern: str, suffixes: Set[str], lists: Sequence[Path]) -> list[Path]:
    """Return the files that match a pattern; `lists` are the lists that include it, from the outermost."""
    path = user_path(pattern)
    if path.is_dir():
        images = sorted(file for file in path.rglob("*") if _is_file(file, suffixes))
        if not images:
            raise ConvscopeError(f"no images in folder {path}: expected {', '.join(sorted(suffixes))}")
        return images
    if path.exists():
        return [path]
    if pattern.startswith("@"):
        return _find_listed(user_path(pattern[1:]), suffixes, lists)
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    matches = [match for match in matches if _is_file(match, suffixes)]
    if not matches:
        raise ConvscopeError(f"no image at {pattern}: expected a file, a folder, a glob or @LIST.txt")
    return matches


def _find_listed(listing: Path, suffixes: Set[str], lists: Sequence[Path]) -> list[Path]:
    if not listing.is_file():
        raise ConvscopeError(f"no list at {listing}: expected a text file with one path per line")
    if listing.resolve() in lists:
        raise ConvscopeError(f"the list {listing} includes itself: remove its path from the lists")
    lists = [*lists, listing.resolve()]
    try:
        lines = listing.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConvscopeError(
            f"{listing} is not in UTF-8: expected a text file with one path per line"
        ) from None
    return [image for line in lines if line.strip() for image in _find(line.strip(), suffixes, lists)]


def _is_file(path: Path, suffixes: Set[str]) -> bool:
    return path.suffix.lower() in suffixes and path.is_file()
