"""Run directories: each belongs to one run, and one process at a time writes to it."""

import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convscope import files

OUTPUTS = Path("outputs")
LATEST = "latest"  # a symbolic link in outputs/train and outputs/visualize to the last complete run
LOCK = ".lock"  # a file in the directory while a run writes to it
_DATE = re.compile(r"^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_?")


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


def link_latest(directory: Path) -> None:
    """Let the link `latest` beside a complete run point to it; exchange the link atomically.

    Only runs in a folder of `outputs/` have the link: not the runs of a sweep, which are one level below, and
    not a directory elsewhere. A file or folder with this name is kept. On file systems without symbolic
    links, nothing happens.
    """
    run = directory.resolve()
    link, partial = run.with_name(LATEST), run.with_name(f".{LATEST}.{run.name}")
    if run.parent.parent != OUTPUTS.resolve() or (link.exists() and not link.is_symlink()):
        return
    with suppress(OSError):
        partial.unlink(missing_ok=True)  # of a killed process
        partial.symlink_to(run.name, target_is_directory=True)
        partial.replace(link)


def follow_latest(path: Path) -> Path:
    """Return a path without the link `latest`: what a run records must not change with the link."""
    for link in (path, *path.parents):
        if link.name == LATEST and link.is_symlink():
            return link.parent / link.readlink() / path.relative_to(link)
    return path


def without_date(name: str) -> str:
    """Return the name of a run directory without the date and the time that it begins with."""
    return _DATE.sub("", name)


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
