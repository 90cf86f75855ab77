"""The directory of a sweep: which starts of a sweep are refused, and what a refused one leaves."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus

from convscope.app.train.run_directory import settings
from convscope.config import sweep_directory
from convscope.config.schema.train import SweepConfig, TrainConfig
from convscope.sweep import record
from convscope.sweep.record import Record, State
from tests.conftest import Outcome

Command = Callable[..., Outcome]
SWEEP = ["-m", "seed=1,2", "dataset.name=nothing"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["sweep.name=a/b"], "sweep.name=a/b cannot be the name of a directory: expected for example a.b"),
        (["sweep.name=..", "seed=1"], "sweep.name=.. cannot be the name of a directory"),
        (["sweep.name=a", "hydra.sweep.dir=b"], "sweep.name=a and hydra.sweep.dir are both set"),
        (["sweep.retry_failed=true"], "sweep.retry_failed=true needs sweep.resume=true"),
        (["sweep.name=old"], "outputs/sweeps/old already has a sweep: set sweep.resume=true"),
        (["hydra.sweep.dir=outputs/sweeps/old"], "outputs/sweeps/old already has a sweep"),
        (
            ["sweep.name=old", "sweep.resume=true"],
            "settings seed=1, but this sweep has dataset.name=nothing s",
        ),
        (["trainig.epochs=1"], "no key 'trainig"),
    ],
)
def test_a_sweep_that_cannot_begin_changes_nothing(command: Command, given: list[str], message: str) -> None:
    old = Path("outputs/sweeps/old")
    Record(old / "seed=1", 0, ["seed=1"], {"seed": "1"}).write()
    (old / "sweep.json").write_text(json.dumps({"arguments": ["seed=1"], "command": ["train.py"]}))
    before = {path: path.read_bytes() for path in Path().rglob("*.*") if path.is_file()}
    failed = command("train", *SWEEP, *given)
    assert (failed.status, len(failed.err.splitlines())) == (1, 1)
    assert message in failed.err
    assert {path: path.read_bytes() for path in Path().rglob("*.*") if path.is_file()} == before


def test_resume_finds_the_last_sweep_with_the_same_arguments(command: Command) -> None:
    first, other = (["-m", f"seed=choice({seed})", "dataset.name=nothing"] for seed in (1, 3))
    assert command("train", *first).status == command("train", *other).status == 1
    folders = {path.name: path.parent for path in Path("outputs/sweeps").glob("*/seed=*")}
    resumed = command("train", *first, "sweep.resume=true")
    assert f"sweep: {folders['seed=1']}\n" in resumed.out
    assert "\n1 run: 1 failed\n" in f"\n{resumed.out}"
    assert f"sweep.name={folders['seed=1'].name} sweep.resume=true sweep.retry_failed=true" in resumed.err
    retried = command("train", *first, "sweep.resume=true", "sweep.retry_failed=true")
    assert retried.err.count("error: no data set") == 1
    attempts = {path.parent: json.loads(path.read_text())["attempts"] for path in Path().rglob("run.json")}
    assert attempts == {folders["seed=1"] / "seed=1": 2, folders["seed=3"] / "seed=3": 1}


def test_a_sweep_with_more_values_keeps_its_finished_runs(command: Command) -> None:
    command("train", "-m", "seed=choice(1)", "dataset.name=nothing", "sweep.name=mine")
    more = command("train", *SWEEP, "sweep.name=mine", "sweep.resume=true")
    assert more.out.count("\nrun seed=") == 1
    assert "\n2 runs: 2 failed" in more.out
    assert "; to repeat them: " in more.err
    other = command("train", "-m", "seed=choice(3)", *SWEEP[2:], "sweep.name=mine", "sweep.resume=true")
    assert "3 of 3 runs failed" in other.err
    assert "; to repeat those with the values of this command: " in other.err


@pytest.mark.parametrize(
    "given",
    [
        ["seed=choice(3)", "dataset.name=other"],  # other settings in new directories
        ["seed=choice(1)", "dataset.name=nothing", "model.dropout=0.1,0.2"],  # seed=1 would count twice
    ],
)
def test_runs_that_cannot_be_ranked_do_not_join_a_sweep(command: Command, given: list[str]) -> None:
    command("train", "-m", "seed=choice(1,2)", "dataset.name=nothing", "sweep.name=mine")
    before = sorted(Path().rglob("*"))
    failed = command("train", "-m", *given, "sweep.name=mine", "sweep.resume=true")
    assert (failed.status, len(failed.err.splitlines())) == (1, 1)
    assert "has the settings seed=1 dataset.name=nothing, but this sweep has dataset.name=" in failed.err
    assert sorted(Path().rglob("*")) == before


def test_a_sweep_is_resumed_with_another_launcher_or_with_debug(command: Command) -> None:
    command("train", *SWEEP)
    (made,) = Path("outputs/sweeps").iterdir()
    again = command("train", *SWEEP, "debug=true", "sweep.resume=true")
    assert f"sweep: {made}\n" in again.out
    assert "\n2 runs: 2 failed" in again.out
    assert list(Path("outputs/sweeps").iterdir()) == [made]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no space left on device", "1 of 2 jobs failed, the first with: no space left on device"),
        (None, "1 of 2 runs have not ended, the first is seed=2; to run them: "),
    ],
)
def test_a_run_that_another_process_did_not_record_is_an_error(
    command: Command, monkeypatch: pytest.MonkeyPatch, value: str | None, message: str
) -> None:
    """A launcher brings back the message of an error in its process, or nothing."""

    class Elsewhere:
        def launch(self, jobs: list[list[str]], initial_job_idx: int) -> list[JobReturn]:
            first = Path("outputs/sweeps/mine/seed=1")
            replace(record.read(first), state=State.finished).write()
            return [JobReturn(status=JobStatus.COMPLETED, _return_value=one) for one in (0.5, value)]

    monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *_, **__: Elsewhere())
    failed = command("train", *SWEEP, "sweep.name=mine")
    assert failed.status == 1
    assert f"error: {message}" in failed.err
    assert "1 finished" in Path("outputs/sweeps/mine/report.html").read_text()


def test_the_options_of_a_sweep_are_not_settings_of_a_run() -> None:
    sweep = SweepConfig(name="x", resume=True)
    assert settings(TrainConfig(sweep=sweep)) == settings(TrainConfig())
    assert "sweep" not in settings(TrainConfig())
    given = ["seed=1", "sweep.name=x", "sweep.resume=true", "sweep=seeds"]
    assert sweep_directory.without_controls(given) == ["seed=1", "sweep=seeds"]
    runs = ["seed=1", "launcher=ray", "debug=true", "overwrite=true", "sweep.resume=true"]
    assert sweep_directory.of_runs(runs) == ["seed=1"]
