"""Write the results of a sweep: `results.csv` and `report.html`."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from convscope import files, invocation
from convscope.names import printable
from convscope.render import line_chart
from convscope.render.sweep_page import (
    Cell,
    Failure,
    RunRow,
    SearchSection,
    SweepReport,
    write_sweep_report,
)
from convscope.render.thumbnail import file_address
from convscope.sweep import comparison, record, results
from convscope.sweep.record import Record, State

FILE, SWEEP = "report.html", "sweep.json"
SEARCH_FILE = "search.json"
HISTORY, IMPORTANCE, SLICES = "search_history.png", "search_importance.png", "search_slices.png"
SEARCH_CHARTS = {
    HISTORY: "Validation loss of each trial",
    IMPORTANCE: "Importance of each setting for the difference between good trials and all (PED-ANOVA)",
    SLICES: "Validation loss by setting",
}
SHOWN = 30  # runs in the learning curves
_CURVES = {"val_loss": "validation loss", "val_accuracy": "validation accuracy"}
_METRICS = (("validation", "loss"), ("validation", "accuracy"), ("test", "accuracy"))


def update(sweep: Path, *, is_final: bool = False) -> list[Record]:
    """Write `results.csv` and `report.html` from the records on disk, and return the records.

    One process at a time writes them, and the last one has seen all records.

    Args:
        sweep: the directory of the sweep.
        is_final: whether to compare settings by image, which reads all predictions.
    """
    with files.waiting_for(sweep / ".results.lock"):
        records = record.read_all(sweep)
        files.write_text(sweep / results.FILE, results.as_csv(records))
        compared = comparison.compare_best(records) if is_final else []
        write_sweep_report(sweep / FILE, _content(sweep, records, compared))
    return records


def expected_runs(sweep: Path) -> int:
    """Return how many runs a sweep is to have, 0 if it does not say so."""
    path = sweep / SWEEP
    return int(files.read_json(path).get("runs", 0)) if path.is_file() else 0


def _content(
    sweep: Path, records: Sequence[Record], compared: Sequence[comparison.Comparison]
) -> SweepReport:
    best = results.ranked(records)
    with_value = {one.name for one in best}
    ordered = [*best, *(one for one in records if one.name not in with_value)]
    keys = list(dict.fromkeys(key for one in records for key in one.swept))
    settings = comparison.settings_of(records)
    with_seeds = settings if any(len(setting.runs) > 1 for setting in settings) else []
    search = _search(sweep)  # its charts show the loss by setting, on a continuous axis
    return SweepReport(
        title=f"Sweep {printable(sweep.name)}",
        summary=results.summary(records),
        columns=[
            *keys, "validation loss", "validation accuracy", "test accuracy", "best epoch", "time", "state",
        ],
        rows=[_row(one, keys) for one in ordered],
        curves=_curves(best[:SHOWN]),
        curves_note=f"The {min(len(best), SHOWN)} runs with the lowest validation loss of {len(records)}; "
        "the best six are coloured.",
        by_setting=[] if search else _by_setting(best, keys),
        settings=[_setting_row(setting) for setting in with_seeds],
        setting_columns=["seeds", *(f"{split} {score}" for split, score in _METRICS)],
        comparisons=[str(one) for one in compared],
        failures=[
            Failure(one.name, one.error or "", f"{one.name}/{record.TRACEBACK}")
            for one in records
            if one.state is State.failed
        ],
        commands=[*_visualize_commands(best), *_sweep_command(sweep)],
        search=search,
    )  # fmt: skip


def _row(one: Record, keys: Sequence[str]) -> RunRow:
    has_report = (one.directory / FILE).is_file()
    loss = Cell("" if one.value is None else f"{one.value:.4f}", value="" if one.value is None else one.value)
    epoch = one.best_epoch
    return RunRow(
        printable(one.name),
        f"{one.name}/{FILE}" if has_report else None,
        [
            *(Cell(one.swept.get(key, ""), value=one.swept.get(key, "")) for key in keys),
            loss,
            *(_accuracy(one, split) for split in results.SPLITS),
            Cell(f"{epoch} of {one.epochs}", value=epoch) if epoch is not None else Cell(""),
            Cell(results.duration(one.seconds), value=one.seconds) if one.seconds else Cell(""),
            Cell(one.state.value, value=one.state.value),
        ],
    )


def _accuracy(one: Record, split: str) -> Cell:
    text = results.accuracy(one, split)
    mean, _, interval = text.partition(" ")
    return Cell(mean, interval.strip("()"), value=one.scores[split]["accuracy"] if text else "")


def _curves(best: Sequence[Record]) -> list[line_chart.LineChart]:
    """Return the charts of validation loss and accuracy by epoch."""
    histories = {one.name: record.read_history(one.directory) for one in best}
    charts = []
    for column, title in _CURVES.items():
        series = {name: [(row["epoch"], row[column]) for row in rows] for name, rows in histories.items()}
        drawn = line_chart.curves(title, series)
        charts += [drawn] if drawn else []
    return charts


def _by_setting(best: Sequence[Record], keys: Sequence[str]) -> list[line_chart.LineChart]:
    """Return the charts of validation loss and test accuracy against each setting."""
    charts = []
    for key in [key for key in keys if key != comparison.SEED] or keys:
        for split, score in (("validation", "loss"), ("test", "accuracy")):
            values = [
                (one.swept[key], float(one.scores[split][score]), one.name)
                for one in best
                if key in one.swept and split in one.scores
            ]
            drawn = line_chart.by_setting(f"{split} {score}", key, values)
            charts += [drawn] if drawn else []
    return charts


def _setting_row(setting: comparison.Setting) -> RunRow:
    cells = [Cell(str(len(setting.runs)), value=len(setting.runs))]
    for split, score in _METRICS:
        interval = setting.interval(split, score)
        mean, _, ends = str(interval or "").partition(" ")
        cells.append(Cell(mean, ends.strip("()"), value=interval.mean if interval else ""))
    return RunRow(setting.name, None, cells)


def _sweep_command(sweep: Path) -> list[tuple[str, str]]:
    if not (sweep / SWEEP).is_file():
        return []
    words = files.read_json(sweep / SWEEP)["command"]
    command = shlex.join(["python", *words] if words[0].endswith(".py") else words)  # of an earlier version
    about = (
        "The last command of this sweep. With sweep.resume=true, it continues its runs that have not ended:"
    )
    return [(about, command)]


def _visualize_commands(best: Sequence[Record]) -> list[tuple[str, str]]:
    """Return what to do next: look at the best runs, or at the best one."""
    paths = [str(one.directory) for one in best[:3]]
    if not paths:
        return []
    if len(paths) == 1:
        return [("To see what the run has learned:", _visualize("checkpoint", paths[0]))]
    quoted = ",".join('"' + path.replace('"', '\\"') + '"' for path in paths)  # they may contain commas
    names = "three best" if len(paths) == 3 else "two"
    return [
        (f"To compare what the {names} runs have learned:", _visualize("compare", f"[{quoted}]")),
        ("To see what the best run has learned:", _visualize("checkpoint", paths[0])),
    ]


def _search(sweep: Path) -> SearchSection | None:
    """Return what a search has written into the directory of the sweep."""
    path = sweep / SEARCH_FILE
    if not path.is_file():
        return None
    written = files.read_json(path)
    charts = [
        (title, file_address(sweep / name))
        for name, title in SEARCH_CHARTS.items()
        if (sweep / name).is_file()
    ]
    return SearchSection(written["summary"], charts, written["dashboard"])


def _visualize(key: str, value: str) -> str:
    return invocation.command("visualize", [f"{key}={value}"])
