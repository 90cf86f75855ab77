"""Archives from strangers: unpacked inside one folder, without links, within a bound."""

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from convscope.errors import ConvscopeError
from convscope.progress import progress

MOST_FILES = 3_000_000
DEEPEST = 3  # archives in archives
_CHUNK = 1 << 20
_DRIVE = re.compile(r"^[A-Za-z]:")


class ArchiveError(ConvscopeError):
    """An archive that is damaged, or does what an archive of pictures has no need to."""


class DamagedArchiveError(ArchiveError):
    """An archive that cannot be read to its end: another download may be whole."""


def unpack(archive: Path, target: Path, *, largest: int) -> None:
    """Unpack a zip file into `target`, and the zip files in it into folders of their own names.

    Args:
        archive: the zip file.
        target: a folder that is made, or is empty.
        largest: how many bytes all of it may take.

    Raises:
        ArchiveError: it is no zip file or damaged, holds links or a path that leads out of `target`, is
            encrypted, takes more than `largest` bytes or than the disk has, or holds a name twice.
    """
    target.mkdir(parents=True, exist_ok=True)
    _Unpacking(archive, min(largest, shutil.disk_usage(target).free)).run(archive, target, depth=0)


class _Unpacking:
    """What is left of the bounds while the archive and those in it are unpacked."""

    def __init__(self, outermost: Path, room: int):
        self.outermost = outermost
        self.room = room
        self.files = MOST_FILES

    def run(self, archive: Path, target: Path, depth: int) -> None:
        try:
            with zipfile.ZipFile(archive) as opened:
                members = opened.infolist()
                self._check_bounds(members)
                with progress(
                    total=sum(each.file_size for each in members),
                    desc=f"unpacking {archive.name}",
                    unit="B",
                    unit_scale=True,
                ) as bar:
                    inner = [self._member(opened, each, target, bar) for each in members]
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
            raise DamagedArchiveError(
                f"{self.outermost} is no zip file, or damaged ({archive.name}: {error})"
            ) from None
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            name = Path(error.filename or "").name
            raise ArchiveError(f"{self.outermost} holds {name!r} twice, here: {archive.name}") from None
        for path in inner:
            if path and path.suffix.lower() == ".zip" and depth < DEEPEST and zipfile.is_zipfile(path):
                self.run(path, _free_name(path.with_suffix("")), depth + 1)
                path.unlink()

    def _check_bounds(self, members: list[zipfile.ZipInfo]) -> None:
        size = sum(each.file_size for each in members)
        if size > self.room or len(members) > self.files:
            raise ArchiveError(
                f"{self.outermost} unpacks to {len(members):,} files and {size / 1e9:,.1f} GB or more, and "
                f"there is room for {self.files:,} and {self.room / 1e9:,.1f} GB: free some, or set "
                "dataset.max_gigabytes"
            )
        self.files -= len(members)

    def _member(
        self, opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, bar: Any
    ) -> Path | None:
        path = target / self._safe(member)
        if member.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(member) as source, path.open("xb") as file:
            while chunk := source.read(_CHUNK):
                self.room -= len(chunk)
                if self.room < 0:
                    raise ArchiveError(
                        f"{self.outermost} unpacks to more than it says: it is not to be trusted"
                    )
                file.write(chunk)
                bar.update(len(chunk))
        return path

    def _safe(self, member: zipfile.ZipInfo) -> PurePosixPath:
        """Its path; raises ArchiveError for a link, a device, a secret or a way out."""
        name = member.filename.replace("\\", "/")
        path = PurePosixPath(name)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            fault = "a link or a device"
        elif path.is_absolute() or ".." in path.parts or _DRIVE.match(name) or not path.parts:
            fault = "a path that leads out of its folder"
        elif member.flag_bits & 1:
            fault = "an encrypted file"
        else:
            return path
        raise ArchiveError(f"{self.outermost} holds {fault}, {member.filename!r}: it is not unpacked")


def _free_name(path: Path) -> Path:
    """`path`, or with a number after it if there is something already."""
    count = 1
    free = path
    while free.exists():
        count += 1
        free = path.with_name(f"{path.name}-{count}")
    return free
