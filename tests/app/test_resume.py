"""Resuming a training that was killed before it wrote its settings."""

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
