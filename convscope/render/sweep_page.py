"""The report of a sweep: one HTML file with a table of its runs and charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.files import write_text
from convscope.render import templates
from convscope.render.line_chart import LineChart


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, a fainter text beside it, and the value to sort by."""

    text: str
    faint: str = ""
    value: float | str = ""


@dataclass(frozen=True)
class RunRow:
    """A run in the table: name, relative address of its report or None, cells below the columns."""

    name: str
    address: str | None
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Failure:
    """A failed run: its name, its message, and the relative address of its traceback."""

    name: str
    error: str
    address: str


@dataclass(frozen=True)
class SweepReport:
    """The contents of the report.

    Attributes:
        title: the heading.
        summary: the number of runs by state.
        columns: the headings of the table of runs, after the name.
        rows: the runs, the best first.
        curves: learning curves.
        curves_note: which runs the curves show.
        by_setting: a metric against each swept setting.
        settings: rows of the table of settings over seeds: name and cells.
        setting_columns: the headings of that table, after the name.
        comparisons: sentences that compare two settings.
        failures: the failed runs.
        commands: pairs (description, command).
    """

    title: str
    summary: str
    columns: Sequence[str]
    rows: Sequence[RunRow]
    curves: Sequence[LineChart]
    curves_note: str
    by_setting: Sequence[LineChart]
    settings: Sequence[RunRow]
    setting_columns: Sequence[str]
    comparisons: Sequence[str]
    failures: Sequence[Failure]
    commands: Sequence[tuple[str, str]]


def write_sweep_report(path: Path, report: SweepReport) -> None:
    """Write the report; the template escapes all names."""
    write_text(path, templates.render("sweep_page.html.j2", report=report))
