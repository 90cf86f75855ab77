"""Run directories: each belongs to one run, and one process at a time writes to it."""

import itertools
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convscope import files

LOCK = ".lock"  # a file in the directory while a run writes to it


def claim_new(directory: Path) -> Path:
    """Return a new run directory: `directory`, or the first of DIRECTORY-2, DIRECTORY-3, … without a run.

    Its lock file marks it as claimed, until `release` or the end of `locked` removes the file. `directory`
    may exist already if it is empty.
    """
    names = (f"{directory.name}-{number}" for number in itertools.count(2))
    for candidate in itertools.chain([directory], map(directory.with_name, names)):
        candidate.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError, FileNotFoundError):  # another run claims or removes it
            (candidate / LOCK).touch(exist_ok=False)
            if [path.name for path in candidate.iterdir()] == [LOCK]:
                return candidate
            (candidate / LOCK).unlink()
    raise AssertionError("unreachable")


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Create a run directory and lock it against other processes; remove it at the end if it is empty.

    Raises:
        ConvscopeError: another process has locked it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with files.locked(directory / LOCK, f"another run is writing to {directory}"):
            yield
    finally:
        remove_if_empty(directory)


def release(directory: Path) -> None:
    """Remove the lock file of a claimed directory."""
    (directory / LOCK).unlink(missing_ok=True)


def existing_parents(patterns: Iterable[str]) -> set[Path]:
    """Return the existing directories among those of `patterns` and their parents, as absolute paths."""
    directories = [Path(os.path.abspath(pattern)) for pattern in patterns]  # noqa: PTH100  # removes ..
    return {path for directory in directories for path in (directory, *directory.parents) if path.is_dir()}


def remove_empty(directory: Path, existing: Collection[Path]) -> None:
    """Remove a directory and its parents if they are empty and not in `existing`."""
    for path in (directory, *directory.parents):
        if path in existing:
            return
        try:
            path.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return


def remove_if_empty(directory: Path) -> None:
    """Remove a directory if it is empty and not the current one."""
    if directory.resolve() != Path.cwd():
        with suppress(OSError):
            directory.rmdir()
