"""Runs that start at the same time: each has a directory of its own, or is refused."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope import run_directories
from convscope.errors import ConvscopeError
from tests.conftest import ROOT, Outcome

CLAIM = """
import sys, time
from pathlib import Path
from convscope.run_directories import claim_new

while time.time() < float(sys.argv[2]):
    pass
print(claim_new(Path(sys.argv[1])))
"""


def test_processes_that_start_together_claim_different_directories(tmp_path: Path) -> None:
    moment = str(time.time() + 1)
    command = [sys.executable, "-c", CLAIM, str(tmp_path / "run"), moment]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(6)]
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


def test_stage_3_locks_its_directory_before_it_loads_a_model(
    command: Callable[..., Outcome], trained_folder: Path
) -> None:
    with run_directories.locked(Path("out")):
        given = [f"checkpoint={trained_folder / 'donor'}", "views=[layers]", "hydra.run.dir=out"]
        refused = command("visualize", *given)
    assert refused.err.startswith("error: another run is writing to")
    assert not refused.out  # no description of the model
