"""Files and folders that are there whole or not at all: written beside, then renamed."""

import csv
import ctypes
import fcntl
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, creating its folders; a reader never sees half of it."""
    with beside(path) as partial:
        partial.write_bytes(content)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path beside `path` for what is written bit by bit; it takes its place at the end, unless that fails.

    Creates the folders.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented UTF-8 JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV, with `columns` as its first line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(folder: Path, otherwise: str) -> Iterator[None]:
    """Hold a folder against other processes; raises ConvscopeError(`otherwise`) if one holds it.

    The system lets go of it when the process ends, however it does.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConvscopeError(f"{otherwise}: wait for it, or stop it") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """An empty folder beside `target` that takes its place at the end, if something was put into it.

    Whenever the process is killed, `target` is the old folder or the new one, whole; where the system
    cannot exchange two folders (Linux can) it may be away for a moment, and the next call puts it back.
    Leftovers of a process that was killed are removed.

    Raises:
        ConvscopeError: another process is replacing `target`.
    """
    partial, old = target.with_name(f".{target.name}.partial"), target.with_name(f".{target.name}.old")
    partial.mkdir(parents=True, exist_ok=True)
    with locked(partial, f"another run is writing {target}"):
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(old, ignore_errors=True)
        _empty(partial)
        try:
            yield partial
            if any(partial.iterdir()):
                _put(partial, target, old)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _put(partial: Path, target: Path, old: Path) -> None:
    """Put `partial` where `target` is; what was there is left at `partial` or removed."""
    if not target.exists():
        partial.rename(target)
    elif not _exchange(partial, target):
        target.rename(old)
        partial.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places at once, where the system knows how to (renameat2, Linux)."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_cwd, exchange = -100, 2
    return bool(renameat2 and renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0)
