"""The record of a run: its states, its attempts, its results."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.errors import ConvscopeError
from convscope.files import write_json
from convscope.sweep import record
from convscope.sweep.record import Record, State

METRICS = {"validation": {"loss": 0.25, "accuracy": 0.9, "accuracy_95": [0.8, 1.0], "classes": {}}}
HISTORY = "epoch,loss,val_loss\n1,2.0,0.5\n2,1.0,0.25\n3,0.5,nan\n"


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    """The directory of a planned run."""
    one = Record(tmp_path / "dropout=0.1", 0, ["model.dropout=0.1"], {"model.dropout": "0.1"})
    one.write()
    return one.directory


def train(directory: Path) -> Callable[[], None]:
    """Return a run that writes the files of a training."""

    def run() -> None:
        (directory / "history.csv").write_text(HISTORY)
        write_json(directory / "metrics.json", METRICS)

    return run


def fail() -> None:
    raise ConvscopeError("no such data set")


def test_a_finished_run_is_not_started_again(planned: Path) -> None:
    done, is_new = record.attempt(planned, train(planned), str)
    assert (done.state, done.attempts, is_new) == (State.finished, 1, True)
    assert (done.value, done.epochs, done.best_epoch) == (0.25, 3, 2)
    assert done.scores["validation"] == {"loss": 0.25, "accuracy": 0.9, "accuracy_95": [0.8, 1.0]}
    assert record.attempt(planned, fail, str) == (done, False)
    assert record.read(planned) == done


def test_a_failed_run_keeps_its_message_and_its_traceback_and_is_repeated_on_request(planned: Path) -> None:
    failed, _ = record.attempt(planned, fail, str)
    assert (failed.state, failed.error, failed.value) == (State.failed, "no such data set", None)
    assert "in fail\n" in (planned / "traceback.txt").read_text()
    assert record.attempt(planned, train(planned), str) == (failed, False)
    record.retried(failed)
    done, _ = record.attempt(planned, train(planned), str)
    assert (done.state, done.attempts, done.error) == (State.finished, 2, None)
    assert not (planned / "traceback.txt").exists()


def test_an_interrupted_run_is_started_again(planned: Path) -> None:
    def interrupt() -> None:
        assert record.read(planned).state is State.running
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record.attempt(planned, interrupt, str)
    assert json.loads((planned / "run.json").read_text())["state"] == "running"
    assert record.read(planned).state is State.interrupted
    done, _ = record.attempt(planned, train(planned), str)
    assert (done.state, done.attempts) == (State.finished, 2)


def test_a_run_that_was_killed_when_it_was_complete_is_not_started_again(planned: Path) -> None:
    train(planned)()
    (planned / "state.npz").touch()
    done, is_new = record.attempt(planned, fail, str)
    assert (done.state, done.value, is_new) == (State.finished, 0.25, False)
    assert not (planned / "state.npz").exists()


def test_two_processes_do_not_run_the_same_run(planned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_PATIENCE", 0.01)

    def run() -> None:
        other, is_new = record.attempt(planned, fail, str)
        assert (other.state, is_new) == (State.running, False)
        train(planned)()

    done, _ = record.attempt(planned, run, str)
    assert (done.state, done.attempts) == (State.finished, 1)


def test_a_pruned_run_is_not_a_failure(planned: Path) -> None:
    def prune() -> None:
        raise record.Pruned

    pruned, _ = record.attempt(planned, prune, str)
    assert (pruned.state, pruned.error) == (State.pruned, None)
    assert record.attempt(planned, fail, str) == (pruned, False)


def test_a_damaged_record_is_an_error_of_one_line(planned: Path) -> None:
    (planned / "run.json").write_text("{}")
    with pytest.raises(ConvscopeError, match=r"run.json is not a record of a run .*: expected"):
        record.read(planned)


@pytest.mark.parametrize(
    "changes",
    [{"scores": []}, {"scores": {"validation": 1}}, {"overrides": "x"}, {"swept": {"a": 1}}, {"number": "0"}],
)
def test_a_record_with_values_of_other_types_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    Record(tmp_path / "a", 0, ["seed=1"], {"seed": "1"}).write()
    content = json.loads((tmp_path / "a/run.json").read_text())
    (tmp_path / "a/run.json").write_text(json.dumps(content | changes))
    with pytest.raises(ConvscopeError, match="not a record of a run"):
        record.read_all(tmp_path)


def test_the_best_epoch_is_that_of_the_kept_model(tmp_path: Path) -> None:
    def best_epoch(*rows: tuple[float, float], head: float | None = None) -> int | None:
        directory = tmp_path / str(len(list(tmp_path.iterdir())))
        lines = [f"{epoch},{loss},{average}\n" for epoch, (loss, average) in enumerate(rows, 1)]
        Record(directory, 0, [], {}).write()
        (directory / "history.csv").write_text("epoch,val_loss,average_val_loss\n" + "".join(lines))
        if head is not None:
            (directory / "head").mkdir()
            (directory / "head/history.csv").write_text(f"epoch,val_loss\n1,{head}\n")
        return record.attempt(directory, lambda: None, str)[0].best_epoch

    assert best_epoch((0.9, 0.8), (0.7, 0.95)) == 2
    assert best_epoch((0.9, 0.9), (math.nan, 0.2)) == 2  # the weights diverge, their average does not
    assert best_epoch((0.9, 0.8), head=0.5) is None  # the model of the first phase stays the best
    assert best_epoch((0.9, 0.8), head=0.85) == 1
