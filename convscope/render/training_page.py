"""The report of a training run: one HTML file that contains its charts and galleries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope.files import write_text
from convscope.render import templates
from convscope.render.thumbnail import Thumbnail


@dataclass(frozen=True)
class RunReport:
    """The content of the report.

    `facts` are pairs (name, value); `scores` are those of `metrics.json`, by split; `charts` are pairs
    (title, address); `curves_precision` is the precision of the training, None for float32. The galleries
    show the split `shown`: `mistakes` are its wrong predictions, the most confident first, and
    `least_certain` those with the lowest confidence. `suspicions` are the first of `suspicion_count` images
    of all splits whose labels may be wrong.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    scores: Mapping[str, Mapping[str, Any]]
    shown: str
    charts: Sequence[tuple[str, str]]
    curves_precision: str | None
    mistakes: Sequence[Thumbnail]
    least_certain: Sequence[Thumbnail]
    suspicions: Sequence[Thumbnail]
    suspicion_count: int
    command: str


def write_run_report(path: Path, report: RunReport) -> None:
    """Write the report; the template escapes all names."""
    write_text(path, templates.render("training_page.html.j2", report=report))
