"""A run that only failed leaves nothing; what can be resumed or looked at is kept."""

import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.app.train import run_directory
from convscope.models.checkpoint_files import CONTRACT_FILE, MODEL_FILE
from tests.conftest import Outcome

Command = Callable[..., Outcome]
DIVERGES = [
    "dataset=folder", "dataset.name=two", "augmentation=none", "model.input_size=32", "model.widths=[4]",
    "model.units=4", "training.epochs=1", "training.learning_rate=1e30", "callbacks=[snapshots]",
]  # fmt: skip


@pytest.fixture(autouse=True)
def data(tmp_path: Path, trained_folder: Path) -> None:
    shutil.copytree(trained_folder / "data", tmp_path / "data")


def test_a_training_that_diverges_leaves_only_the_files_of_others(command: Command) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").touch()
    failed = command("train", *DIVERGES, "hydra.run.dir=mine")
    assert failed.status == 1
    assert "try a tenth of it" in failed.err
    assert [path.name for path in Path("mine").rglob("*")] == ["notes.txt"]


def test_a_failure_after_the_first_model_keeps_the_run(tmp_path: Path) -> None:
    for name in (MODEL_FILE, CONTRACT_FILE, "state.npz"):
        (tmp_path / name).touch()
    with pytest.raises(OSError, match="disk"), run_directory.without_failure(tmp_path):
        raise OSError("the disk is full")
    assert {MODEL_FILE, CONTRACT_FILE, "state.npz"} < {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("views", ["activations", "layers,activations"])
def test_a_page_that_fails_is_kept_only_with_a_picture(
    command: Command, trained_folder: Path, views: str
) -> None:
    shutil.copytree(trained_folder / "donor", "broken")
    model = keras.saving.load_model("broken/model.keras")
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    model.save("broken/model.keras")
    failed = command("visualize", "checkpoint=broken", f"views=[{views}]")
    assert failed.status == 1
    assert "not finite" in failed.err
    kept = {path.name for path in Path("outputs").rglob("*.*") if path.is_file()}
    assert ("index.html" in kept) == views.startswith("layers")
    if views == "activations":
        assert list(Path("outputs").glob("*/*")) == []
        earlier = command("visualize", "checkpoint=broken", "views=[layers]", "hydra.run.dir=page")
        assert earlier.status == 0
        before = sorted(Path("page").rglob("*"))
        again = ["views=[activations]", "hydra.run.dir=page", "overwrite=true"]
        assert command("visualize", "checkpoint=broken", *again).status == 1
        assert sorted(Path("page").rglob("*")) == before
        assert not Path(".page.partial").exists()
