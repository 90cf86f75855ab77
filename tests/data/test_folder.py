import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest

from convscope.data.folder import find_candidates
from convscope.errors import ConvscopeError


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return root


def classes_of(root: Path, **options: object) -> dict[str, str]:
    found, _ = find_candidates(root, **options)
    return {each.key: each.label for each in found}


def test_a_class_is_the_topmost_folder_that_holds_images(tmp_path: Path) -> None:
    tree(tmp_path, "pets/cat/1.jpg", "pets/cat/more/2.JPG", "pets/birds/owl/3.png", "pets/cat/notes.txt")
    assert classes_of(tmp_path) == {
        "pets/cat/1.jpg": "cat",
        "pets/cat/more/2.JPG": "cat",
        "pets/birds/owl/3.png": "owl",
        "pets/cat/notes.txt": "cat",  # to be opened and reported, whatever its ending
    }


def test_a_nested_copy_of_the_class_folders_adds_no_class(tmp_path: Path) -> None:
    tree(
        tmp_path,
        *(f"flowers/{inner}{name}/1.jpg" for inner in ("", "flowers/") for name in ("daisy", "rose")),
    )
    assert set(classes_of(tmp_path).values()) == {"daisy", "rose"}


def test_files_outside_class_folders_are_rejected_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.jpg", "b/2.jpg", "b/.DS_Store", "__MACOSX/b/._2.jpg", ".git/x.jpg", "README.md")
    found, rejected = find_candidates(tmp_path)
    assert sorted(each.key for each in found) == ["a/1.jpg", "b/2.jpg"]
    assert [(Path(each.source).name, each.reason) for each in rejected] == [("README.md", "no class")]


def test_the_folder_of_the_data_sets_is_no_source(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.jpg", "b/2.jpg", "data/set/train/a/1.jpg", "data/set/train/b/2.jpg")
    for source in (tmp_path, tmp_path / "data/set/train"):
        found, rejected = find_candidates(source, skipped=tmp_path / "data")
        assert sorted(each.key for each in found) == ["a/1.jpg", "b/2.jpg"]
        assert not rejected


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    scan = os.scandir

    def scan_or_fail(path: str) -> Any:  # the superuser may read every folder
        if Path(path).name == "c":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_or_fail)
    with pytest.raises(ConvscopeError, match=r"cannot read the folder .*c \(Permission denied\)"):
        find_candidates(tmp_path)


def test_a_class_in_other_bytes_than_utf_8_has_a_printable_name(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.jpg", os.fsdecode(b"caf\xe9/2.jpg"))
    assert {each.label for each in find_candidates(tmp_path)[0]} == {"a", "caf\\udce9"}


def test_class_folders_of_the_same_name_at_one_depth_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "cats/2019/1.jpg", "cats/2020/2.jpg", "dogs/2019/3.jpg")
    with pytest.raises(ConvscopeError, match=r"cats/2019 and in dogs/2019.*dataset\.class_pattern"):
        find_candidates(tmp_path)
    assert set(classes_of(tmp_path, class_pattern="^([^/]+)/").values()) == {"cats", "dogs"}


def test_splits_of_the_source_are_kept_only_with_predefined(tmp_path: Path) -> None:
    tree(tmp_path, "set/Training/a/1.jpg", "set/Training/b/2.jpg", "set/valid/a/3.jpg", "set/Test/b/4.jpg")
    found, _ = find_candidates(tmp_path, predefined=True)
    assert {each.path.name: each.split for each in found} == {
        "1.jpg": "train",
        "2.jpg": "train",
        "3.jpg": "validation",
        "4.jpg": "test",
    }
    assert {each.split for each in find_candidates(tmp_path)[0]} == {None}


def test_predefined_without_split_folders_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match="split=predefined"):
        find_candidates(tree(tmp_path, "a/1.jpg", "b/2.jpg"), predefined=True)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"(cat|dog)\.\d+", ["cat", "dog"]),
        (r"(?P<class>c|d)[a-z]+\.(\d)", ["c", "d"]),
        ("cat|dog", ["cat", "dog"]),
    ],
)
def test_a_pattern_finds_the_class_in_the_path(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    tree(tmp_path, "train/cat.0.jpg", "train/dog.1.jpg", "test1/1.jpg")
    found, rejected = find_candidates(tmp_path, class_pattern=pattern)
    assert sorted(each.label for each in found) == expected
    assert [each.reason for each in rejected] == ["no class"]


@pytest.mark.parametrize(
    ("pattern", "said"), [("(", "not a regular expression"), ("bird", "matches no path")]
)
def test_an_invalid_pattern_is_an_error_of_one_line(tmp_path: Path, pattern: str, said: str) -> None:
    with pytest.raises(ConvscopeError, match=said):
        find_candidates(tree(tmp_path, "cat.0.jpg"), class_pattern=pattern)


def test_a_table_gives_the_classes(tmp_path: Path) -> None:
    tree(tmp_path, "images/1.jpg", "images/ü 2.jpg", "images/3.jpg")
    table = tmp_path / "labels.csv"
    table.write_text(
        '\ufeffpath, class ,note,split\nimages/1.jpg,"a, b",x,train\nimages/ü 2.jpg,c,y,test\n'
        'images/9.jpg,c,z,\nimages/1.jpg,"a, b",again,\n',
        "utf-8",
    )
    found, _ = find_candidates(tmp_path, labels=table)
    assert [(each.key, each.label) for each in found] == [
        ("images/1.jpg", "a, b"),
        ("images/ü 2.jpg", "c"),
        ("images/9.jpg", "c"),  # not there: inspection will say so
    ]
    assert [each.split for each in find_candidates(tmp_path, labels=table, predefined=True)[0]] == [
        "train",
        "test",
        None,
    ]


def test_an_unknown_split_in_a_table_is_an_error_with_predefined(tmp_path: Path) -> None:
    tree(tmp_path, "train/1.jpg", "train/2.jpg")
    table = tmp_path / "labels.csv"
    table.write_text("path,class,split\ntrain/1.jpg,a,train\ntrain/2.jpg,b,holdout\n")
    assert len(find_candidates(tmp_path, labels=table)[0]) == 2
    with pytest.raises(ConvscopeError, match="the split 'holdout' in line 3: expected train"):
        find_candidates(tmp_path, labels=table, predefined=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file,label\na.jpg,x\n", "columns file, label: expected path and class"),
        ("", "columns none"),
        ("path,class\n../../etc/passwd,x\n", "inside"),
        ("path,class\n/etc/passwd,x\n", "inside"),
        ("path,class\na.jpg,x\na.jpg,y\n", "'x' in line 2 and 'y' in line 3"),
        ("path,class\na.jpg,x\n", "only one class, 'x'"),
        (b"path,class\n\xff\xfe.jpg,x\n", "UTF-8"),
    ],
)
def test_an_invalid_table_is_an_error_of_one_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    (tmp_path / "a.jpg").touch()
    table = tmp_path / "labels.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConvscopeError, match=re.escape(said)):
        find_candidates(tmp_path, labels=table)


def test_classes_can_be_selected_and_a_typing_error_suggests_a_name(tmp_path: Path) -> None:
    tree(tmp_path, *(f"{name}/1.jpg" for name in ("daisy", "rose", "tulip")))
    assert set(classes_of(tmp_path, classes=["tulip", "rose"]).values()) == {"rose", "tulip"}
    with pytest.raises(ConvscopeError, match="did you mean tulip"):
        find_candidates(tmp_path, classes=["tulpi", "rose"])


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    tree(tmp_path, "outside/3.jpg", "set/a/1.jpg", "set/b/2.jpg")
    (tmp_path / "set" / "a" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    assert sorted(classes_of(tmp_path / "set")) == ["a/1.jpg", "a/link/3.jpg", "b/2.jpg"]
