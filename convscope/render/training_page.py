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
    `curves_precision` is the precision of the training, None for float32;
    of the split `shown`, `mistakes` are wrong ones, the surest first, `doubtful` those whose best probability
    is the least; `suspicions` are the first of `suspicious` images of all splits whose labels may be wrong.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    scores: Mapping[str, Mapping[str, Any]]
    shown: str
    charts: Sequence[tuple[str, str]]
    curves_precision: str | None
    mistakes: Sequence[Thumbnail]
    doubtful: Sequence[Thumbnail]
    suspicions: Sequence[Thumbnail]
    suspicious: int
    command: str


def write_run_report(path: Path, report: RunReport) -> None:
    """Write the report; names in it are escaped."""
    write_text(path, templates.render("training_page.html.j2", report=report))
