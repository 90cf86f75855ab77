import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from convscope.data.manifest import ImageRecord, Manifest, open_dataset
from convscope.errors import ConvscopeError

RECORD = ImageRecord(
    "train/a/1.png", "train", "a", "from", "a/1.png", "00", "11", "f0", 4, 3, "masks/train/a/1.png"
)


def test_a_manifest_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    rejected = [{"source": "s", "reason": "r", "detail": "d"}]
    manifest = Manifest("n", ["a", "b"], {"seed": 1}, [RECORD], {"kind": "x"}, rejected=rejected)
    manifest.write(tmp_path)
    assert open_dataset(tmp_path) == manifest
    entry = json.loads((tmp_path / "manifest.json").read_text())["images"][0]
    assert entry["class"] == "a"
    assert entry == {
        "path": "train/a/1.png",
        "split": "train",
        "class": "a",
        "source": "from",
        "key": "a/1.png",
        "sha256": "00",
        "original": "11",
        "phash": "f0",
        "width": 4,
        "height": 3,
        "mask": "masks/train/a/1.png",
    }


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "train/../../x.png"])
def test_a_path_outside_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    Manifest("n", ["a"], {}, [RECORD]).write(tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["images"][0]["path"] = path
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ConvscopeError, match="outside the folder"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "train/a/1\0.png"}, "is not a path"),
        ({"mask": "masks/\0.png"}, "is not a path"),
        ({"width": float("inf")}, "OverflowError"),
    ],
)
def test_an_entry_that_was_changed_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    Manifest("n", ["a"], {}, [RECORD]).write(tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text())
    content["images"][0] |= changes
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ConvscopeError, match=message):
        open_dataset(tmp_path)


@pytest.mark.parametrize("classes", [["a", "a"], ["a", ["b"]], "a", ["a", "\ud800"]])
def test_class_names_that_are_not_unique_texts_are_refused(tmp_path: Path, classes: object) -> None:
    Manifest("n", ["a"], {}, [RECORD]).write(tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text()) | {"classes": classes}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ConvscopeError, match="malformed"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1, "images": 3}', "\x00", "[" * 10**5])
def test_a_malformed_manifest_is_an_error_of_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ConvscopeError, match="malformed"):
        open_dataset(tmp_path)


def test_a_split_made_by_hand_needs_no_manifest(class_folders: Path) -> None:
    for split, names in (("train", "0123456"), ("validation", "7"), ("test", "89")):
        for label in ("dark", "light"):
            for name in names:
                target = class_folders.parent / "mine" / split / label / f"{name}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((class_folders / label / f"{name}.png").read_bytes())
    for name in (".ipynb_checkpoints/0-checkpoint.png", "dark/._0.png"):  # of Jupyter and of macOS
        hidden = class_folders.parent / "mine/train" / name
        hidden.parent.mkdir(exist_ok=True)
        hidden.write_bytes(b"hidden")
    manifest = open_dataset(class_folders.parent / "mine")
    assert manifest.classes == ["dark", "light"]
    assert {split: sum(c.values()) for split, c in manifest.counts().items()} == {
        "train": 14,
        "validation": 2,
        "test": 4,
    }


def test_a_missing_data_set_lists_the_existing_ones(tmp_path: Path) -> None:
    Manifest("pets", ["a"], {}, [RECORD]).write(tmp_path / "pets")
    with pytest.raises(ConvscopeError, match=r"contains: pets.*prepare"):
        open_dataset(tmp_path / "petz")


def test_the_hash_of_a_split_depends_on_contents_and_membership_only() -> None:
    def split_hash(*records: ImageRecord) -> str | None:
        return Manifest("n", ["a", "b"], {}, list(records)).split_sha256

    one, two = replace(RECORD, original="", sha256="1"), replace(RECORD, original="", sha256="2")
    first = split_hash(one, two)
    assert first == hashlib.sha256(b"1 train a\n2 train a").hexdigest()
    assert split_hash(replace(two, path="p", source="s", key="k"), one) == first
    assert split_hash(one, replace(two, sha256="converted", original="2")) == first
    others = [replace(two, split="test"), replace(two, label="b"), replace(two, sha256="3")]
    assert len({first, *(split_hash(one, other) for other in others)}) == 4
    assert split_hash(one, replace(two, sha256="")) is None
