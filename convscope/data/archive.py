"""Untrusted zip archives: unpack them inside one folder, without links, up to a maximum size."""

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from convscope.errors import ConvscopeError
from convscope.files import naming, open_regular
from convscope.progress import progress

MOST_FILES = 3_000_000
DEEPEST = 3  # archives in archives
_CHUNK = 1 << 20
_DRIVE = re.compile(r"^[A-Za-z]:")


class ArchiveError(ConvscopeError):
    """An archive that is damaged or unsafe."""


class DamagedArchiveError(ArchiveError):
    """An archive that cannot be read; a new download may help."""


def unpack(archive: Path, target: Path, *, largest: int) -> None:
    """Unpack a zip file into `target`, and each zip file inside it into a folder of the same name.

    Args:
        archive: the zip file.
        target: the folder; it is created if it does not exist, and must be empty.
        largest: maximum number of bytes of all files together.

    Raises:
        ArchiveError: the archive is damaged or encrypted, contains a link, a path outside `target` or the
            same path twice, or needs more than `largest` bytes or the free space of the disk.
    """
    target.mkdir(parents=True, exist_ok=True)
    _Unpacking(archive, min(largest, shutil.disk_usage(target).free)).run(archive, target, depth=0)


class _Unpacking:
    """An unpacking with limits: the numbers of bytes and files that are still allowed."""

    def __init__(self, outermost: Path, bytes_left: int):
        self.outermost = outermost
        self.bytes_left = bytes_left
        self.files_left = MOST_FILES

    def run(self, archive: Path, target: Path, depth: int) -> None:
        try:
            with open_regular(archive) as file, zipfile.ZipFile(file) as opened:
                members = opened.infolist()
                self._check_bounds(members)
                with progress(
                    total=sum(member.file_size for member in members),
                    desc=f"unpacking {archive.name}",
                    unit="B",
                    unit_scale=True,
                ) as bar:
                    inner = [self._unpack_member(opened, member, target, bar) for member in members]
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
            raise DamagedArchiveError(
                f"{self.outermost} is not a zip file or is damaged ({archive.name}: {error})"
            ) from None
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            name = Path(error.filename or "").name
            raise ArchiveError(
                f"{self.outermost} contains {name!r} twice (in {archive.name}), expected once"
            ) from None
        for path in inner:
            if path and path.suffix.lower() == ".zip" and depth < DEEPEST and zipfile.is_zipfile(path):
                self.run(path, _free_name(path.with_suffix("")), depth + 1)
                path.unlink()

    def _check_bounds(self, members: list[zipfile.ZipInfo]) -> None:
        size = sum(member.file_size for member in members)
        if size > self.bytes_left or len(members) > self.files_left:
            raise ArchiveError(
                f"{self.outermost} contains at least {len(members):,} files, {size / 1e9:,.1f} GB, expected "
                f"at most {self.files_left:,} files of {self.bytes_left / 1e9:,.1f} GB: free disk space, or "
                "increase dataset.max_gigabytes"
            )
        self.files_left -= len(members)

    def _unpack_member(
        self, opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, bar: Any
    ) -> Path | None:
        path = target / self._safe_path(member)
        if member.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        with naming(path), opened.open(member) as source, path.open("xb") as file:
            while chunk := source.read(_CHUNK):
                self.bytes_left -= len(chunk)
                if self.bytes_left < 0:
                    raise ArchiveError(
                        f"{self.outermost} unpacks to more bytes than it declares: do not trust this archive"
                    )
                file.write(chunk)
                bar.update(len(chunk))
        return path

    def _safe_path(self, member: zipfile.ZipInfo) -> PurePosixPath:
        """Return the path of a member; raise ArchiveError for a link, a device or an outside path."""
        name = member.filename.replace("\\", "/")
        path = PurePosixPath(name)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = "a link or a device"
        elif path.is_absolute() or ".." in path.parts or _DRIVE.match(name) or not path.parts:
            problem = "a path outside its folder"
        elif member.flag_bits & 1:
            problem = "an encrypted file"
        else:
            return path
        raise ArchiveError(
            f"{self.outermost} contains {problem}, {member.filename!r}: do not trust this archive"
        )


def _free_name(path: Path) -> Path:
    """Return `path`, or the first of PATH-2, PATH-3, … if it exists."""
    count = 1
    free = path
    while free.exists():
        count += 1
        free = path.with_name(f"{path.name}-{count}")
    return free
