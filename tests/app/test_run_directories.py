"""Runs that start at the same time: each has a directory of its own, or is refused."""

import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest

from convscope import run_directories
from convscope.errors import ConvscopeError
from tests.conftest import ROOT

TRAIN = [
    sys.executable, "train.py", "dataset=folder", "dataset.name=two", "augmentation=none",
    "training.epochs=1", "model.input_size=32", "model.units=4",
]  # fmt: skip
CLAIM = """
import sys, time
from pathlib import Path
from convscope.run_directories import claim_new

while time.time() < float(sys.argv[2]):
    pass
print(claim_new(Path(sys.argv[1])))
"""


def start_together(commands: list[list[str]]) -> list[subprocess.Popen[str]]:
    return [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]


def errors(process: subprocess.Popen[str]) -> list[str]:
    return [line for line in process.communicate()[1].splitlines() if line.startswith("error:")]


def test_processes_that_start_together_claim_different_directories(tmp_path: Path) -> None:
    moment = str(time.time() + 1)
    processes = start_together([[sys.executable, "-c", CLAIM, str(tmp_path / "run"), moment]] * 6)
    claimed = {process.communicate()[0].strip() for process in processes}
    assert claimed == {str(tmp_path / name) for name in ("run", *(f"run-{number}" for number in range(2, 7)))}


def test_the_directory_of_an_earlier_run_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    assert run_directories.claim_new(tmp_path / "run") == tmp_path / "run-2"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.yaml"]


def test_a_directory_is_locked_until_the_end_of_its_run(tmp_path: Path) -> None:
    with run_directories.locked(tmp_path / "run"):
        with (
            pytest.raises(ConvscopeError, match="another run is writing to"),
            run_directories.locked(tmp_path / "run"),
        ):
            pass
        assert (tmp_path / "run").is_dir()
    with run_directories.locked(tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists()  # nothing was written


@pytest.mark.slow
def test_two_trainings_in_the_same_second_have_two_directories(trained_folder: Path, tmp_path: Path) -> None:
    same = [*TRAIN, f"dataset.root={trained_folder / 'data'}", f"hydra.run.dir={tmp_path}/${{now:%Y}}"]
    processes = start_together([[*same, f"model.widths=[{width}]"] for width in (3, 5)])
    assert [errors(process) for process in processes] == [[], []]
    runs = sorted(tmp_path.iterdir())
    assert [run.name for run in runs] == [runs[0].name, f"{runs[0].name}-2"]
    for run in runs:
        assert {"model.keras", "metrics.json", "config.yaml"} < {path.name for path in run.iterdir()}
        assert not (run / ".lock").exists()
        width = int((run / "config.yaml").read_text().split("widths:\n  - ")[1].split("\n")[0])
        assert keras.saving.load_model(run / "model.keras").layers[1].filters == width


@pytest.mark.slow
def test_two_trainings_in_a_given_directory_are_not_mixed(trained_folder: Path, tmp_path: Path) -> None:
    same = [*TRAIN, f"dataset.root={trained_folder / 'data'}", f"hydra.run.dir={tmp_path / 'run'}"]
    processes = start_together([[*same, f"model.widths=[{width}]"] for width in (3, 5)])
    failed = [lines for lines in (errors(process) for process in processes) if lines]
    assert len(failed) == 1
    assert len(failed[0]) == 1
    assert str(tmp_path / "run") in failed[0][0]
    assert not (tmp_path / "run" / ".lock").exists()
