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
    """The contents of the report.

    Attributes:
        title: the heading.
        facts: pairs (name, value).
        scores: by split, the scores as in `metrics.json`.
        shown: the split of the charts and galleries.
        charts: pairs (title, `data:` URL).
        curves_precision: the precision of the training; None for float32.
        mistakes: the most confident wrong predictions.
        least_certain: the predictions with the lowest confidence.
        suspicions: the first images of all splits whose labels may be wrong.
        suspicion_count: the number of all such images.
        command: the command of the run.
        coverage: the coverage of the sets of classes in `scores`.
        weights: the weights that the scores belong to.
        trained: whether the calibration was fitted on the validation split of `scores`.
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
    coverage: float
    weights: str
    trained: bool


def write_run_report(path: Path, report: RunReport) -> None:
    """Write the report; the template escapes all names."""
    write_text(path, templates.render("training_page.html.j2", report=report))
