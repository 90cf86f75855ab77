"""The report on a training run: one HTML file with its charts and galleries inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope.files import write_text
from convscope.render import templates
from convscope.render.thumbnail import Thumbnail


@dataclass(frozen=True)
class RunReport:
    """What the report says.

    `facts` are (name, value); `scores` are those of `metrics.json`, by split; `charts` are (title, address);
    `mistakes` are wrong ones, the surest first, `doubtful` those whose best probability is the least.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    scores: Mapping[str, Mapping[str, Any]]
    charts: Sequence[tuple[str, str]]
    mistakes: Sequence[Thumbnail]
    doubtful: Sequence[Thumbnail]
    command: str


def write_run_report(path: Path, report: RunReport) -> None:
    """Write the report; names in it are escaped."""
    write_text(path, templates.render("run_report.html.j2", report=report))
