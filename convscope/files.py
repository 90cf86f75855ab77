"""Atomic writing of files and folders: they get a temporary name, which is changed at the end."""

import csv
import ctypes
import errno
import hashlib
import io
import itertools
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; create its folders if needed."""
    with beside(path) as partial:
        partial.write_bytes(content)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; at the end it replaces `path`, unless an error occurs.

    The folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with naming(path):
            yield partial
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add `path` to an OSError without a file name, for example that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8, atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented UTF-8 JSON, atomically."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON in UTF-8, or lists and objects are nested too deeply.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except RecursionError:
        raise ValueError("lists or objects are nested too deeply") from None


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV, with `columns` as its first line; see `csv_line`."""
    return "".join(csv_line(row) for row in itertools.chain([columns], rows))


def csv_line(row: Sequence[Any]) -> str:
    """Return a line of a table as CSV, with its line break.

    A text that a spreadsheet would run as a formula, because it begins with =, +, -, @, tab or carriage
    return, gets a leading apostrophe (OWASP, CSV Injection). Numbers do not change.
    """
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(map(_without_formula, row))  # quotes \r and \n in a cell
    return line.getvalue().removesuffix("\r\n") + "\n"


def _without_formula(cell: Any) -> Any:
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def user_path(text: str | Path) -> Path:
    """Return a path with a leading `~` or `~USER` replaced by the home folder.

    Raises:
        ConvscopeError: no such user is known, and no file has this name.
    """
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:
        if path.exists():
            return path
        raise ConvscopeError(
            f"no home folder for {path.parts[0]} in {text}: expected the name of a user after ~; write "
            f"./{text} for a file of this name"
        ) from None


class NotRegularError(OSError):
    """A path that is a folder, a named pipe or a device; reading it may block for ever."""


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading in binary mode; raise NotRegularError unless it is a regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(errno.EINVAL, "not a regular file", str(path))
    return io.BufferedReader(io.FileIO(descriptor))


def sha256(path: Path) -> str:
    """Return the SHA-256 of the bytes of a regular file, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(file: Path, otherwise: str) -> Iterator[None]:
    """Hold a lock file; raise ConvscopeError(`otherwise`) if another process holds it.

    The file is removed at the end. If the process is killed, the operating system releases the lock.
    """
    from filelock import FileLock, Timeout  # slow to import

    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ConvscopeError(f"{otherwise}: wait until it ends, or stop it") from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)  # before the release: nobody may hold a removed file
        lock.release()


@contextmanager
def waiting_for(file: Path, note: str = "") -> Iterator[None]:
    """Hold a lock file; wait while another process holds it, and print `note`. The file is not removed."""
    from filelock import FileLock, Timeout  # slow to import

    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if note:
            print(note)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; at the end, if it is not empty, it replaces `target`.

    If `target` is a symbolic link to a folder, the link stays and its folder is replaced. If the process is
    killed, `target` is the complete old folder or the complete new one. On systems that cannot exchange two
    folders (Linux can), `target` may be missing until the next call restores it. The leftovers of a killed
    process are removed.

    Raises:
        ConvscopeError: another process is replacing `target`, or the folder to write to is a file.
    """
    if target.is_symlink():
        target = Path(os.path.realpath(target))
    partial, old, lock = (target.with_name(f".{target.name}.{kind}") for kind in ("partial", "old", "lock"))
    with _parent_of(target), locked(lock, f"another run is writing {target}"):
        for leftover in (partial, old):
            if leftover.is_symlink():
                leftover.unlink()  # its folder may be a data set
        partial.mkdir(exist_ok=True)
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(old, ignore_errors=True)
        _empty(partial)
        try:
            yield partial
            if any(partial.iterdir()):
                _replace(partial, target, old)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _parent_of(target: Path) -> Iterator[None]:
    """Create the folder of `target` and its parents; at the end, remove the new ones that are still empty."""
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ConvscopeError(f"{target.parent} is a file: expected a folder, to write {target}") from None
    try:
        yield
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


def _replace(partial: Path, target: Path, old: Path) -> None:
    """Move `partial` to `target`; the old folder is moved to `partial` or removed."""
    if not target.exists():
        partial.rename(target)
    elif not exchange(partial, target):
        target.rename(old)
        partial.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically if the system supports it (renameat2, Linux); return whether it did."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_cwd, exchange = -100, 2
    return bool(renameat2 and renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0)
