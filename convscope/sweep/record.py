"""The record of one run of a sweep: `run.json` in its directory."""

import csv
import math
import os
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from convscope import files
from convscope.errors import ConvscopeError

FILE, TRACEBACK, LOCK = "run.json", "traceback.txt", ".run.lock"
METRICS, HISTORY, EPOCH, HEAD = "metrics.json", "history.csv", "state.npz", "head"  # of train.py
_SCORES = ("loss", "accuracy", "accuracy_95")
_PATIENCE = 2  # seconds; `Record.is_locked` holds the lock for less than a millisecond


class State(StrEnum):
    """States of a run. A run whose process has been killed is interrupted, which is never stored."""

    waiting = "waiting"
    running = "running"
    interrupted = "interrupted"
    finished = "finished"
    failed = "failed"
    pruned = "pruned"


ENDED = (State.finished, State.failed, State.pruned)


class Pruned(Exception):  # noqa: N818  # not an error
    """Raised in a run that a search ends early."""


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes:
        directory: its directory, in the directory of the sweep.
        number: its index in the sweep.
        overrides: the arguments KEY=VALUE of the run, without those of Hydra and of the sweep.
        swept: the values that differ between the runs, by key.
        state: the state.
        attempts: how often the run has been started.
        host: the computer of the last attempt.
        pid: the process of the last attempt.
        started: the start of the last attempt, as ISO 8601.
        seconds: the duration of all attempts that were not killed.
        scores: by split, loss and accuracy with its interval, as in `metrics.json`.
        epochs: the number of epochs of the main phase.
        best_epoch: the epoch of the main phase that is kept; None if it is the model of the first phase.
        error: the message of a failed run, one line.
    """

    directory: Path
    number: int
    overrides: list[str]
    swept: dict[str, str]
    state: State = State.waiting
    attempts: int = 0
    host: str | None = None
    pid: int | None = None
    started: str | None = None
    seconds: float = 0.0
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    epochs: int | None = None
    best_epoch: int | None = None
    error: str | None = None

    @property
    def name(self) -> str:
        """The name of the directory, which tells the swept values."""
        return self.directory.name

    @property
    def value(self) -> float | None:
        """The validation loss of the finished run, else None."""
        loss = self.scores.get("validation", {}).get("loss")
        return None if loss is None or self.state is not State.finished else float(loss)

    def write(self) -> None:
        """Write `run.json`."""
        content = asdict(self)
        del content["directory"]
        files.write_json(self.directory / FILE, content)


def is_planned(directory: Path) -> bool:
    """Return whether a directory belongs to a run of a sweep."""
    return (directory / FILE).is_file()


def read(directory: Path) -> Record:
    """Return the record of a run directory.

    Raises:
        ConvscopeError: `run.json` is damaged.
    """
    try:
        content = files.read_json(directory / FILE)
        record = Record(directory, **content | {"state": State(content["state"])})
        _check_kinds(record)
    except (ValueError, TypeError, KeyError) as error:
        raise ConvscopeError(
            f"{directory / FILE} is not a record of a run ({error}): expected the file that a sweep wrote; "
            f"remove {directory} to repeat the run"
        ) from None
    if record.state is State.running and not _is_locked(directory):
        return replace(record, state=State.interrupted)
    return record


def _check_kinds(record: Record) -> None:
    """Raise TypeError if a value has another type than `write` gives it."""
    if not (
        isinstance(record.overrides, list)
        and isinstance(record.swept, dict)
        and isinstance(record.scores, dict)
        and all(isinstance(text, str) for text in [*record.overrides, *record.swept.values()])
        and all(isinstance(scores, dict) for scores in record.scores.values())
        and all(type(number) in (int, float) for number in (record.number, record.attempts, record.seconds))
        and isinstance(record.error, str | None)
    ):
        raise TypeError("a value has the wrong type")


def read_all(sweep: Path) -> list[Record]:
    """Return the records of a sweep, by their number."""
    records = [read(path.parent) for path in sweep.glob(f"*/{FILE}")]
    return sorted(records, key=lambda record: (record.number, record.name))


def retried(one: Record) -> Record:
    """Let a failed run wait for its next attempt; return its record."""
    if one.state is State.failed:
        one = replace(one, state=State.waiting)
        one.write()
    return one


def attempt(
    directory: Path, run: Callable[[], None], explain: Callable[[Exception], str]
) -> tuple[Record, bool]:
    """Run one planned run and record what happens; return its record, and whether it was started now.

    A run that has ended is not started again, nor is one that another process is running. An error is
    recorded with its message and its traceback.

    Args:
        directory: the run directory, with `run.json`.
        run: trains; KeyboardInterrupt leaves an interrupted run, which its next attempt resumes.
        explain: returns the message of an error, one line.
    """
    with _claimed(directory) as is_ours:
        record = read(directory)
        if not is_ours or record.state in ENDED:
            return record, False
        if (directory / METRICS).is_file():  # the run was killed when it was complete
            (directory / EPOCH).unlink(missing_ok=True)
            record = _with_results(replace(record, state=State.finished))
            record.write()
            return record, False
        record = _begin(record)
        began = time.monotonic()
        state, error = State.finished, None
        try:
            run()
        except Pruned:
            state = State.pruned
        except Exception as failure:
            state, error = State.failed, explain(failure)
            files.write_text(directory / TRACEBACK, traceback.format_exc())
        finally:
            record = replace(record, seconds=round(record.seconds + time.monotonic() - began, 3))
            record.write()
        record = _with_results(replace(record, state=state, error=error))
        record.write()
        return record, True


def _begin(record: Record) -> Record:
    (record.directory / TRACEBACK).unlink(missing_ok=True)
    record = replace(
        record,
        state=State.running,
        attempts=record.attempts + 1,
        host=socket.gethostname(),
        pid=os.getpid(),
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        error=None,
    )
    record.write()
    return record


def _with_results(record: Record) -> Record:
    """Add the scores and the number of epochs from the files of the run."""
    scores: Mapping[str, Mapping[str, Any]] = {}
    if (record.directory / METRICS).is_file():
        scores = files.read_json(record.directory / METRICS)
    kept = {
        split: {name: values[name] for name in _SCORES if name in values} for split, values in scores.items()
    }
    history = read_history(record.directory)
    of_epochs = {int(row["epoch"]): _lowest_loss(row) for row in history}
    best = min(of_epochs, key=of_epochs.__getitem__, default=None)
    earlier = min(map(_lowest_loss, read_history(record.directory / HEAD)), default=math.inf)
    if best is not None and not of_epochs[best] < earlier:  # the model of the first phase is kept
        best = None
    return replace(record, scores=kept, epochs=len(history) or None, best_epoch=best)


def _lowest_loss(row: Mapping[str, float]) -> float:
    """Return the validation loss of an epoch, of the weights or their average; infinite if both are NaN."""
    values = [row["val_loss"], row.get("average_val_loss", math.nan)]
    return min((value for value in values if not math.isnan(value)), default=math.inf)


def read_history(directory: Path) -> Sequence[Mapping[str, float]]:
    """Return the rows of `history.csv`, one for each epoch; none if there is no such file."""
    path = directory / HISTORY
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@contextmanager
def _claimed(directory: Path) -> Iterator[bool]:
    """Hold the lock of a run; yield False if another process holds it."""
    from filelock import FileLock, Timeout  # slow to import

    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        (directory / LOCK).unlink(missing_ok=True)
        lock.release()


def _is_locked(directory: Path) -> bool:
    from filelock import FileLock, Timeout

    if not (directory / LOCK).exists():
        return False
    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False
