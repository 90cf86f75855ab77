"""The results of a sweep as tables: `results.csv`, and the printed table of its best runs."""

from collections import Counter
from collections.abc import Iterable, Sequence

from convscope import files
from convscope.names import printable
from convscope.sweep import record
from convscope.sweep.record import Record, State

FILE = "results.csv"
PRINTED = 10  # runs of the printed table
SPLITS = ("validation", "test")
_SCORES = ("loss", "accuracy", "accuracy_low", "accuracy_high")


def ranked(records: Iterable[Record]) -> list[Record]:
    """Return the runs that have a validation loss, the lowest first."""
    scored = [one for one in records if one.value is not None and one.value == one.value]
    return sorted(scored, key=lambda one: (one.value, one.number))


def as_csv(records: Sequence[Record]) -> str:
    """Return a row for each run: swept values, state, scores with intervals, epochs, time, error, path."""
    keys = list(dict.fromkeys(key for one in records for key in one.swept))
    scores = [f"{split}_{name}" for split in SPLITS for name in _SCORES]
    columns = [
        "run", *keys, "state", *scores, "epochs", "best_epoch", "seconds", "attempts", "error", "overrides",
        "path",
    ]  # fmt: skip
    rows = [
        [
            one.name,
            *(one.swept.get(key, "") for key in keys),
            one.state.value,
            *(value for split in SPLITS for value in _scores(one, split)),
            one.epochs,
            one.best_epoch,
            one.seconds,
            one.attempts,
            one.error or "",
            " ".join(one.overrides),
            printable(str(one.directory)),
        ]
        for one in records
    ]
    return files.csv_text(columns, rows)


def _scores(one: Record, split: str) -> list[float | None]:
    scores = one.scores.get(split, {})
    return [scores.get("loss"), scores.get("accuracy"), *scores.get("accuracy_95", (None, None))]


def progress_line(latest: Record, records: Sequence[Record], runs: int) -> str:
    """Return one line after a run: its index of at least `runs`, its result, and the best run so far."""
    ended = sum(one.state in record.ENDED for one in records)
    best = ranked(records)
    outcome = latest.state.value if latest.value is None else f"validation loss {latest.value:.4f}"
    line = f"run {ended} of {max(runs, len(records))}: {latest.name}: {outcome}"
    return f"{line}; best so far: {best[0].name} ({best[0].value:.4f})" if best else line


def table(records: Sequence[Record]) -> str:
    """Return the best runs as a table of text, and a line that counts the runs by state."""
    best = ranked(records)
    rows = [["", "run", "validation loss", "accuracy (95 %)", "test accuracy (95 %)", "best epoch", "time"]]
    for index, one in enumerate(best[:PRINTED], 1):
        epochs = "" if one.best_epoch is None else f"{one.best_epoch} of {one.epochs}"
        accuracies = (accuracy(one, split) for split in SPLITS)
        rows.append([str(index), one.name, f"{one.value:.4f}", *accuracies, epochs, duration(one.seconds)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*(lines if best else []), summary(records)])


def summary(records: Sequence[Record]) -> str:
    """Return the number of runs in each state, for example "12 runs: 10 finished, 2 failed"."""
    counts = Counter(one.state for one in records)
    states = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    return f"{len(records)} run{'s' if len(records) != 1 else ''}: {states or 'none'}"


def accuracy(one: Record, split: str) -> str:
    """Return accuracy and interval of a split as text; empty if it was not measured."""
    _, mean, low, high = _scores(one, split)
    return "" if mean is None else f"{mean:.3f} ({low:.3f} to {high:.3f})"


def duration(seconds: float) -> str:
    """Return a duration as text: "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
