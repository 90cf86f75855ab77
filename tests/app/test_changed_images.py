"""Images that changed after stage 1: every stage says so."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.app.prepare.prepare import prepare
from convscope.config.schema.prepare import FolderConfig, FractionsConfig, PrepareConfig
from convscope.data.changes import changed_images
from convscope.data.manifest import manifest_hash, open_dataset
from tests.conftest import Outcome

Command = Callable[..., Outcome]
DATA = ["dataset=folder", "dataset.name=two"]
NET = ["model.input_size=32", "model.widths=[4]", "model.units=4", "augmentation=none", "training.epochs=1"]
NOTE = "note: 2 of the 20 images of data/two have changed since the data set was made"


@pytest.fixture
def root(tmp_path: Path, trained_folder: Path) -> Path:
    for name in ("data", "donor"):
        shutil.copytree(trained_folder / name, tmp_path / name)
    return tmp_path / "data" / "two"


def exchange_test_images(root: Path) -> list[str]:
    """Exchange the contents of a test image of each class; return their paths in the manifest."""
    dark, light = (next((root / "test" / label).iterdir()) for label in ("dark", "light"))
    content = dark.read_bytes()
    dark.write_bytes(light.read_bytes())
    light.write_bytes(content)
    return [path.relative_to(root).as_posix() for path in (dark, light)]


def test_unchanged_images_are_not_reported(root: Path) -> None:
    for image in open_dataset(root).images:
        os.utime(root / image.path)  # for example a copy
    assert changed_images(root, open_dataset(root)) == []


def test_exchanged_and_missing_images_are_found(root: Path) -> None:
    changed = exchange_test_images(root)
    missing = next((root / "train" / "dark").iterdir())
    missing.unlink()
    found = changed_images(root, open_dataset(root))
    assert {image.path for image in found} == {*changed, missing.relative_to(root).as_posix()}


def test_only_images_with_another_size_or_time_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr("convscope.data.changes.sha256", lambda path: read.append(path) or "")
    assert changed_images(root, open_dataset(root)) == []
    assert read == []


def test_a_manifest_without_sizes_and_times_is_checked_by_hash(root: Path) -> None:
    path = root / "manifest.json"
    content = json.loads(path.read_text())
    for image in content["images"]:
        del image["size"], image["modified"]
    path.write_text(json.dumps(content))
    assert changed_images(root, open_dataset(root)) == []
    changed = exchange_test_images(root)
    assert {image.path for image in changed_images(root, open_dataset(root))} == set(changed)


def test_the_hash_of_a_manifest_does_not_depend_on_modification_times(
    class_folders: Path, tmp_path: Path
) -> None:
    hashes = []
    for name in ("one", "two"):
        dataset = FolderConfig(name="set", root=str(tmp_path / name), source=str(class_folders))
        for path in class_folders.rglob("*.png"):
            os.utime(path)
        hashes.append(manifest_hash(prepare(PrepareConfig(dataset=dataset, split=FractionsConfig()))))
    assert hashes[0] == hashes[1]


def test_every_stage_reports_changed_images(command: Command, root: Path, trained_folder: Path) -> None:
    prepare = [*DATA, f"dataset.source={trained_folder / 'photos'}"]
    evaluate = [*DATA, "evaluate=donor"]
    assert "note:" not in command("create_train_val_test", *prepare).out
    assert "changed" not in command("train", *evaluate, "hydra.run.dir=before").out
    exchange_test_images(root)
    assert NOTE in command("create_train_val_test", *prepare).out
    assert NOTE in command("train", *evaluate, "hydra.run.dir=after").out
    assert NOTE in command("train", *DATA, *NET, "hydra.run.dir=again").out
    contract = json.loads(Path("donor/model.json").read_text())
    contract["dataset"]["path"] = str(root)
    Path("donor/model.json").write_text(json.dumps(contract))
    drawn = command("visualize", "checkpoint=donor", "views=[class_activation]", "hydra.run.dir=drawn")
    assert f"note: {root} has changed since the training" in drawn.out
