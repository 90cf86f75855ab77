import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from convscope.data.archive import ArchiveError, unpack

ROOM = 1 << 24


def zipped(members: dict[str, bytes], *, compress: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def unpacked(tmp_path: Path, content: bytes, largest: int = ROOM) -> dict[str, bytes]:
    (tmp_path / "a.zip").write_bytes(content)
    unpack(tmp_path / "a.zip", tmp_path / "out", largest=largest)
    out = tmp_path / "out"
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_nested_archives_are_unpacked_into_folders_of_the_same_name(tmp_path: Path) -> None:
    inner = zipped({"cat.0.jpg": b"c", "deep/dog.0.jpg": b"d"})
    found = unpacked(tmp_path, zipped({"train.zip": inner, "train/already.txt": b"t", "ü.csv": b"x"}))
    assert found == {
        "train-2/cat.0.jpg": b"c",
        "train-2/deep/dog.0.jpg": b"d",
        "train/already.txt": b"t",
        "ü.csv": b"x",
    }


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "..\\x", "C:\\x", "C:/x"])
def test_a_path_outside_the_target_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="outside"):
        unpacked(tmp_path, zipped({"fine.txt": b"", name: b"evil"}))
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"a.zip", "fine.txt"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        member = zipfile.ZipInfo("link")
        member.create_system, member.external_attr = 3, (kind | 0o777) << 16
        file.writestr(member, "/etc/passwd")
    with pytest.raises(ArchiveError, match="link or a device"):
        unpacked(tmp_path, buffer.getvalue())


def test_an_archive_that_is_too_large_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"dataset.max_gigabytes"):
        unpacked(tmp_path, zipped({"zeros": bytes(ROOM + 1)}))
    assert not (tmp_path / "out" / "zeros").exists()


def test_a_nested_archive_shares_the_limit(tmp_path: Path) -> None:
    inner = zipped({"zeros": bytes(ROOM // 2)})
    with pytest.raises(ArchiveError, match=r"dataset.max_gigabytes"):
        unpacked(tmp_path, zipped({f"{index}.zip": inner for index in range(3)}))


def test_a_false_size_in_the_directory_is_detected(tmp_path: Path) -> None:
    content = bytearray(zipped({"zeros": bytes(100_000)}))
    true, lie = struct.pack("<I", 100_000), struct.pack("<I", 10)
    assert content.count(true) == 2  # beside the data, and in the directory at the end
    with pytest.raises(ArchiveError):
        unpacked(tmp_path, bytes(content.replace(true, lie)), largest=1000)
    assert (tmp_path / "out" / "zeros").stat().st_size <= 1000


@pytest.mark.parametrize("spoil", ["cut", "flip", "text"])
def test_a_damaged_archive_is_an_error_of_one_line(tmp_path: Path, spoil: str) -> None:
    content = zipped({"a.bin": bytes(range(256)) * 40}, compress=zipfile.ZIP_STORED)
    broken = {
        "cut": content[:3000],
        "flip": content[:900] + b"\xff\xff" + content[902:],
        "text": b"<html>try again later</html>",
    }[spoil]
    with pytest.raises(ArchiveError, match="damaged") as error:
        unpacked(tmp_path, broken)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_path_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.txt", "one")
        file.writestr("a.txt", "two")
    with pytest.raises(ArchiveError, match=r"'a.txt' twice"):
        unpacked(tmp_path, buffer.getvalue())
