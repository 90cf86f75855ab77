"""`python train.py -m sweep=search`, the command."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages.journal import JournalFileBackend, JournalStorage

from convscope import parallel
from convscope.sweep.record import Record
from tests.conftest import ROOT, Outcome, run_script

Command = Callable[..., Outcome]
TINY = [
    "dataset.name=drawn", "augmentation=none", "model.input_size=16", "model.widths=[2]", "model.units=2",
    "training.epochs=1",
]  # fmt: skip
SEARCH = ["-m", "sweep=search", "sweep.name=tiny", *TINY]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 20 small drawn pictures."""
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        small = ["dataset.images_per_class=4", "dataset.image_size=32", "split.validation=0.25"]
        assert run_script("create_train_val_test", "dataset=procedural", "dataset.name=drawn", *small) == 0
    return folder / "data"


@pytest.fixture
def search(command: Command, drawn: Path, tmp_path: Path) -> Command:
    """Run a search in a folder with the data set."""
    (tmp_path / "data").symlink_to(drawn)

    def run(*arguments: str) -> Outcome:
        return command("train", *SEARCH, *arguments)

    return run


def records(sweep: Path) -> list[dict]:
    """Return the records of all runs, by their number."""
    found = [json.loads(path.read_text()) for path in sweep.glob("*/run.json")]
    return sorted(found, key=lambda record: record["number"])


def journal(sweep: Path) -> JournalStorage:
    """Return the storage in the folder of a sweep; several times as fast as SQLite."""
    return JournalStorage(JournalFileBackend(str(sweep / "study.journal")))


def test_a_search_begins_with_the_current_settings_and_outlives_a_failed_run(
    search: Command, tmp_path: Path
) -> None:
    """The space has two points, so the search ends before its 20 trials."""
    sweep = tmp_path / "outputs/sweeps/tiny"
    space = ["training.learning_rate=1e38,0.001", "model.dropout=0.1", "training.batch_size=4"]
    first = search(*space, "hydra.sweeper.n_trials=1")
    assert (first.status, first.err.count("error")) == (0, 0)
    assert "optuna-dashboard sqlite:///outputs/sweeps/tiny/study.db" in first.out
    assert (sweep / "learning_rate=0.001" / "metrics.json").is_file()
    second = search(*space, "sweep.resume=true", "debug=true")
    assert second.status == 1
    assert "2 trials: 1 complete, 1 fail; best: trial 0" in second.out
    other = search(*space, "sweep.resume=true", "sweep.retry_failed=true", "model.units=3")
    assert (other.status, len(other.err.splitlines())) == (1, 1)
    assert "but this sweep has augmentation=none" in other.err
    assert records(sweep)[1]["state"] == "failed"
    assert (sweep / ".ask.lock").exists()  # another process may hold it
    third = search(*space, "sweep.resume=true", "sweep.retry_failed=true")
    assert third.status == 1
    assert [(record["state"], record["attempts"]) for record in records(sweep)] == [
        ("finished", 1),
        ("failed", 2),
    ]
    trials = optuna.load_study(study_name="tiny", storage=f"sqlite:///{sweep}/study.db").trials
    trained = [trial.state.name for trial in trials if "repeats" not in trial.user_attrs]
    assert trained == ["COMPLETE", "FAIL", "FAIL"]
    assert trials[0].value == records(sweep)[0]["scores"]["validation"]["loss"]
    report = (sweep / "report.html").read_text()
    assert "2 trials: 1 complete, 1 fail; best: trial 0" in report
    assert report.count("data:image/png") == 2  # history and slices; one trial gives no importance
    assert not [path for path in sweep.iterdir() if path.is_dir() and not (path / "run.json").is_file()]


@pytest.mark.parametrize(
    ("earlier", "message"),
    [
        (
            ["model.units=3"],
            "has the settings model.units=3 model.dropout=0.1, but this sweep has augmentation=",
        ),
        (
            [*TINY, "sweep=search"],
            "model.dropout=0.1, but this sweep has augmentation=none dataset.name=drawn",
        ),
    ],
)
def test_a_search_does_not_join_runs_that_cannot_be_ranked_with_its_own(
    search: Command, tmp_path: Path, earlier: list[str], message: str
) -> None:
    """The runs of a grid have other settings, or are those of a search of other keys."""
    sweep = tmp_path / "outputs/sweeps/tiny"
    swept = ["model.dropout=0.1"]
    Record(sweep / "dropout=0.1", 0, [*earlier, *swept], {"model.dropout": "0.1"}).write()
    (sweep / "sweep.json").write_text(json.dumps({"arguments": earlier, "command": ["train.py"]}))
    before = sorted(tmp_path.rglob("*"))
    refused = search("sweep.resume=true", "hydra.sweeper.n_trials=1")
    assert (refused.status, len(refused.err.splitlines())) == (1, 1)
    assert message in refused.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_that_falls_behind_is_pruned_after_the_warm_up(search: Command, tmp_path: Path) -> None:
    sweep = tmp_path / "outputs/sweeps/tiny"
    sweep.mkdir(parents=True)
    study = optuna.create_study(study_name="tiny", storage=journal(sweep))
    space = {
        "training.learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "model.dropout": FloatDistribution(0, 0.7),
        "training.batch_size": CategoricalDistribution([8, 16, 32]),
    }
    for _ in range(5):  # five complete trials that were much better
        trial = study.ask(space)
        for epoch in (1, 2, 3, 4):
            trial.report(0.01, epoch)
        study.tell(trial, 0.01)
    warmup = ["training.epochs=4", "training.schedule=CosineDecay", "training.warmup_epochs=1.5"]
    outcome = search("hydra.sweeper.n_trials=6", "hydra.sweeper.storage=journal", *warmup)
    assert outcome.status == 0
    (record,) = records(sweep)
    assert (record["state"], record["epochs"]) == ("pruned", 3)
    (directory,) = (path.parent for path in sweep.glob("*/run.json"))
    assert (directory / "model.keras").is_file()
    assert not (directory / "metrics.json").exists()
    assert not list(directory.glob("*state*"))
    assert study.trials[5].state is optuna.trial.TrialState.PRUNED
    assert list(study.trials[5].intermediate_values) == [1, 2, 3]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("hydra.sweeper.direction=[minimize,maximize]", "has 2 objectives: expected minimize, because"),
        (
            "hydra.sweeper.direction=maximize",
            "expected minimize, because the objective is the validation loss",
        ),
        ("hydra.sweeper.n_jobs=2", "needs a launcher that runs several jobs at once: add launcher=joblib"),
        ("hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials=0 is out of range"),
        ("hydra.sweeper.max_failure_rate=2", "hydra.sweeper.max_failure_rate=2.0 is out of range"),
        ("hydra.sweeper.storage=nosuch://x", "cannot open the study in nosuch://x"),
        ("hydra.sweeper.sampler._target_=os.system", "no sampler 'os.system'"),
        ("hydra.sweeper.params=null", "the search has no parameters"),
        ("model.dropout=interval(0,3)", "model.dropout=2.9999999999999996 is out of range"),
        ("training.batch_size=interval(2,9)", "write training.batch_size=int(interval(…))"),
        ("evaluate=[runs/a]", "evaluate=runs/a trains nothing, but sweep=search needs trainings"),
        ("model.dropuot=interval(0,1)", "no key 'model.dropuot': did you mean model.dropout"),
    ],
)
def test_wrong_settings_of_a_search_leave_nothing(
    argument: str, message: str, search: Command, tmp_path: Path
) -> None:
    outcome = search(argument)
    assert (outcome.status, len(outcome.err.splitlines())) == (1, 1)
    assert message in outcome.err
    assert not (tmp_path / "outputs").exists()


def test_the_limit_of_failures_counts_trial_0_and_retried_trials(search: Command, tmp_path: Path) -> None:
    """All trials fail, and none may. The report has the charts and the summary of the last command."""
    sweep = tmp_path / "outputs/sweeps/tiny"
    options = ["hydra.sweeper.max_failure_rate=0", "hydra.sweeper.storage=journal", "dataset.name=missing"]
    for more in ([], ["sweep.resume=true", "sweep.retry_failed=true"]):
        stopped = search(*options, *more)
        assert stopped.status == 1
        assert "error: the search stops because 1 of 1 trials failed" in stopped.err
        (record,) = records(sweep)
        assert record["attempts"] == (2 if more else 1)
        assert "1 trials: 1 fail" in (sweep / "report.html").read_text()


@pytest.mark.parametrize("processes", [1, 3])
def test_all_processes_of_a_search_run_and_share_the_machine(
    search: Command, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    """joblib runs the jobs in this process, so that it shows how they share the machine; all trials fail."""
    joblib = pytest.importorskip("joblib")
    launcher = pytest.importorskip(
        "hydra_plugins.hydra_joblib_launcher._core", reason="needs joblib's launcher: make launchers"
    )
    given = []

    def one_process(**options: object) -> Any:
        given.append(options["n_jobs"])
        return joblib.Parallel(n_jobs=1)

    monkeypatch.setattr(launcher, "Parallel", one_process)
    monkeypatch.setattr(parallel, "_runs", 1)
    options = [f"hydra.sweeper.n_jobs={processes}", "hydra.sweeper.max_failure_rate=0"]
    options += ["hydra.sweeper.storage=journal", "dataset.name=missing"]
    assert search("launcher=joblib", *options).status == 1
    assert (given, parallel.runs_at_once()) == ([processes], processes)


def test_a_search_without_optuna_names_the_command_that_installs_it(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.modules['optuna'] = None; script = sys.argv[1]; sys.argv[:] = sys.argv[1:]; "
        "runpy.run_path(script, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "train.py"), *SEARCH],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        "error: sweep=search needs Optuna, which is not installed: run python -m pip install "
        '"optuna>=5,<6"\n',
    )
    assert not (tmp_path / "outputs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["null", "journal"])
def test_two_commands_share_a_search_and_one_is_killed(drawn: Path, tmp_path: Path, storage: str) -> None:
    """20 trials: none is lost, and only the killed one is run again."""
    (tmp_path / "data").symlink_to(drawn)
    sweep = tmp_path / "outputs/sweeps/tiny"
    given = [*SEARCH, "sweep.resume=true", "hydra.sweeper.n_trials=20", f"hydra.sweeper.storage={storage}"]
    line = [sys.executable, str(ROOT / "train.py"), *given]
    commands = [subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
    victim = commands[0].pid
    deadline = time.monotonic() + 300

    def is_training() -> bool:
        started = records(sweep)
        running = [one for one in started if one["state"] == "running" and one["pid"] == victim]
        return len(started) >= 6 and bool(running)

    while not is_training():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(victim, signal.SIGKILL)
    assert [command.wait(300) for command in commands] == [-signal.SIGKILL, 0]
    attempts = Counter(record["attempts"] for record in records(sweep))
    assert attempts in ({1: 19, 2: 1}, {1: 20})  # it may be killed between its last line and its report
    assert {record["state"] for record in records(sweep)} <= {"finished", "pruned"}
    assert len({json.dumps(record["swept"]) for record in records(sweep)}) == 20
