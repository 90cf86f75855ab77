import hashlib
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from convscope.app import prepare as stage
from convscope.config import FolderConfig, PrepareConfig, SplitConfig
from convscope.data.manifest import open_dataset
from convscope.data.split import part_sizes


def config(source: Path, root: Path, **options: object) -> PrepareConfig:
    dataset = FolderConfig(name="set", root=str(root), source=str(source))
    return PrepareConfig(dataset=dataset, split=SplitConfig(), **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_manifest_says_what_is_on_disk(class_folders: Path, tmp_path: Path) -> None:
    root = stage.prepare(config(class_folders, tmp_path / "data"))
    manifest = open_dataset(root)
    assert manifest.classes == ["dark", "light"]
    assert {image.path for image in manifest.images} | {"manifest.json"} == set(contents(root))
    for image in manifest.images:
        path = root / image.path
        assert image.path.split("/")[:2] == [image.split, image.label]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == image.sha256
        assert Path(image.source).read_bytes() == path.read_bytes()
        with Image.open(path) as picture:
            assert picture.size == (image.width, image.height)
    assert Counter(image.split for image in manifest.images) == {"train": 12, "validation": 4, "test": 4}


def test_pictures_with_the_same_stem_all_find_a_place(class_folders: Path, tmp_path: Path) -> None:
    inner = class_folders / "dark" / "more"
    inner.mkdir()
    for path in sorted((class_folders / "dark").glob("*.png")):
        with Image.open(path) as picture:
            picture.save(path.with_suffix(".jpg"))
            picture.rotate(180).save(inner / path.name)
    manifest = open_dataset(stage.prepare(config(class_folders, tmp_path / "data")))
    assert len({image.path.casefold() for image in manifest.images}) == 40


def test_a_run_that_fails_leaves_the_old_data_set_whole(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = stage.prepare(config(class_folders, tmp_path / "data"))
    before = contents(root)

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    settings = config(class_folders, tmp_path / "data", overwrite=True)
    settings.split.seed = 5
    with monkeypatch.context() as patch:
        patch.setattr(stage, "_place", full_disk)
        with pytest.raises(OSError, match="No space left"):
            stage.prepare(settings)
    assert contents(root) == before
    assert [path.name for path in root.parent.iterdir()] == ["set"]
    stage.prepare(settings)
    assert contents(root) != before


def test_what_a_killed_run_left_is_cleared_away(class_folders: Path, tmp_path: Path) -> None:
    leftover = tmp_path / "data" / ".set.partial" / "train" / "x"
    leftover.mkdir(parents=True)
    root = stage.prepare(config(class_folders, tmp_path / "data"))
    assert not (root / "train" / "x").exists()
    assert [path.name for path in root.parent.iterdir()] == ["set"]


def test_the_flowers_are_split_as_computed(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "flowers"
    counts = open_dataset(stage.prepare(config(source, tmp_path / "data"))).counts()
    for folder in source.iterdir():
        size = len(list(folder.iterdir()))
        parts = tuple(counts[part][folder.name] for part in ("train", "validation", "test"))
        assert parts == part_sizes(size, 0.15, 0.2, of="remainder")


def test_a_run_killed_in_the_middle_of_the_swap_loses_nothing(class_folders: Path, tmp_path: Path) -> None:
    settings = config(class_folders, tmp_path / "data")
    root = stage.prepare(settings)
    before = contents(root)
    root.rename(root.with_name(".set.old"))  # what is there after the first of the two renames
    root.with_name(".set.partial").mkdir()
    assert stage.prepare(settings) == root
    assert contents(root) == before
