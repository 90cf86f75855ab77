"""What a directory holds that another command may not replace, and which run is resumed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Outcome

Command = Callable[..., Outcome]
TRAIN = [
    "dataset=folder", "dataset.name=two", "augmentation=none", "model.input_size=32", "model.widths=[4]",
    "model.units=4", "training.epochs=1", "resume=true", "hydra.run.dir=outputs/train/run",
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path, trained_folder: Path) -> None:
    shutil.copytree(trained_folder / "data", tmp_path / "data")


@pytest.mark.usefixtures("data")
def test_the_link_to_an_interrupted_run_is_not_a_further_run(command: Command) -> None:
    run = Path("outputs/train/run")
    assert command("train", *TRAIN).status == 0
    (run / "metrics.json").unlink()  # as after overwrite=true and a kill
    again = [argument for argument in TRAIN if not argument.startswith("hydra")]
    resumed = command("train", *again)
    assert resumed.status == 0, resumed.err
    assert f"written: {run.resolve()} (" in resumed.out


@pytest.mark.usefixtures("data")
def test_a_run_killed_before_its_configuration_was_written_starts_again(command: Command) -> None:
    run = Path("outputs/train/run")
    run.mkdir(parents=True)
    (run / ".lock").touch()  # left by the killed process
    outcome = command("train", *TRAIN)
    assert outcome.status == 0, outcome.err
    assert f"has no interrupted run; starting a new run in {run.resolve()}" in outcome.out
    assert {"model.keras", "metrics.json"} < {path.name for path in run.iterdir()}
    assert not (run / ".lock").exists()
    assert run.with_name("latest").readlink() == Path("run")
    finished = command("train", *TRAIN)
    assert finished.status == 1
    assert "holds a trained model" in finished.err
    assert "starting a new run" not in finished.out


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("purpose", [["evaluate=donor"], ["predict=donor", "images=data/two/test"]])
def test_results_are_not_written_into_an_interrupted_run(
    command: Command, trained_folder: Path, purpose: list[str]
) -> None:
    """With metrics.json, it would look complete, and its state would be removed."""
    for name in ("donor", "run"):
        shutil.copytree(trained_folder / "donor", name)
    Path("run/metrics.json").unlink()
    Path("run/state.npz").touch()
    before = {path.name: path.read_bytes() for path in Path("run").iterdir() if path.is_file()}
    outcome = command("train", *purpose, *TRAIN[:2], "overwrite=true", "hydra.run.dir=run")
    assert outcome.status == 1
    assert "holds an interrupted run, which could not be resumed: choose another hydra.run.dir" in outcome.err
    assert {path.name: path.read_bytes() for path in Path("run").iterdir() if path.is_file()} == before


@pytest.mark.usefixtures("data")
def test_a_training_does_not_replace_predictions(command: Command, trained_folder: Path) -> None:
    predict = [f"predict={trained_folder / 'donor'}", "images=data/two/test", "hydra.run.dir=results"]
    assert command("train", *predict).status == 0
    before = Path("results/predictions.csv").read_bytes()
    outcome = command("train", *TRAIN[:-2], "hydra.run.dir=results")
    assert outcome.status == 1
    assert "predictions.csv exists already, and is not of a training: set overwrite=true" in outcome.err
    assert Path("results/predictions.csv").read_bytes() == before
    assert command("train", *TRAIN[:-2], "hydra.run.dir=results", "overwrite=true").status == 0


def rename_class(folder: Path) -> None:
    """The renamed class comes last instead of first, so that the indices of the classes change."""
    for path in sorted(folder.glob("*/dark")):
        path.rename(path.with_name("zebra"))


def remove_image(folder: Path) -> None:
    min((folder / "train/dark").iterdir()).unlink()


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("change", [rename_class, remove_image])
def test_a_run_is_not_resumed_on_a_changed_split_made_by_hand(
    command: Command, change: Callable[[Path], None]
) -> None:
    Path("data/two/manifest.json").unlink()
    assert command("train", *TRAIN).status == 0
    run = Path("outputs/train/run")
    images = json.loads((run / "model.json").read_text())["dataset"]["images"]
    assert images == {split: len(list(Path("data/two", split).glob("*/*"))) for split in images}
    (run / "metrics.json").unlink()
    (run / "state.npz").touch()  # as after a kill in the second epoch
    before = (run / "model.json").read_bytes()
    change(Path("data/two"))
    outcome = command("train", *TRAIN)
    assert outcome.status == 1
    assert "the data set two has changed since the run" in outcome.err
    assert (run / "model.json").read_bytes() == before


@pytest.mark.usefixtures("data")
def test_ctrl_c_before_the_first_step_says_how_to_resume(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("convscope.app.train.train.draw_batch", press_ctrl_c)
        stopped = command("train", *TRAIN)
    assert stopped.status == 130
    assert "nothing was written" not in stopped.err
    assert stopped.err.splitlines()[-1].startswith("to resume: ")
    assert stopped.err.endswith("resume=true\n")
    assert command("train", *TRAIN).status == 0
