"""Folders that are replaced through symbolic links: only the folder that is meant may change."""

from pathlib import Path

import pytest

from convscope import files


def make_folder(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text(content)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def replace(target: Path, content: str) -> None:
    with files.replacing(target) as partial:
        (partial / "a.txt").write_text(content)


def test_a_linked_folder_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    make_folder(tmp_path / "big" / "real", "old")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pets").symlink_to("../big/real")
    replace(tmp_path / "data" / "pets", "new")
    with files.replacing(tmp_path / "data" / "pets"):  # a command that changes nothing
        pass
    assert (tmp_path / "data" / "pets").is_symlink()
    assert contents(tmp_path / "big" / "real") == {"a.txt": "new"}
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["pets"]
    assert [path.name for path in (tmp_path / "big").iterdir()] == ["real"]


def test_a_link_to_a_missing_folder_creates_the_folder(tmp_path: Path) -> None:
    (tmp_path / "pets").symlink_to("real")
    replace(tmp_path / "pets", "new")
    assert (tmp_path / "pets").is_symlink()
    assert contents(tmp_path / "real") == {"a.txt": "new"}


@pytest.mark.parametrize("name", [".set.partial", ".set.old"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_temporary_folder_that_is_a_link_is_removed_and_its_folder_is_not(
    tmp_path: Path, name: str, exists: bool
) -> None:
    make_folder(tmp_path / "real", "precious")
    (tmp_path / name).symlink_to("real")
    if exists:
        make_folder(tmp_path / "set", "old")
    replace(tmp_path / "set", "new")
    assert contents(tmp_path / "real") == {"a.txt": "precious"}
    assert contents(tmp_path / "set") == {"a.txt": "new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real", "set"]
