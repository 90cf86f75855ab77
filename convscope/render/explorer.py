"""The page: one HTML file with relative links that opens from disk."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convscope.files import write_text
from convscope.render import templates
from convscope.render.view import View


@dataclass(frozen=True)
class Explanation:
    """Class activation for one class: the heatmap over the photograph, and alone."""

    label: str
    role: str
    overlay: View
    heatmap: View


@dataclass
class PhotographViews:
    """All that is drawn of one photograph.

    `scores` are (class, probability), the highest first; `truth` is its class where that is known.
    """

    name: str
    key: str
    photograph: View
    scores: Sequence[tuple[str, float]]
    truth: str | None
    explanations: list[Explanation] = field(default_factory=list)
    activations: list[View] = field(default_factory=list)

    @property
    def views(self) -> list[View]:
        """Every picture, in the order of the page."""
        of_classes = [view for each in self.explanations for view in (each.overlay, each.heatmap)]
        return [self.photograph, *of_classes, *self.activations]


@dataclass(frozen=True)
class Page:
    """What the page shows: a title, facts on the model as (name, value), and the pictures."""

    title: str
    facts: Sequence[tuple[str, str]]
    photographs: Sequence[PhotographViews]
    filters: Sequence[View]
    command: str


def write_page(path: Path, page: Page) -> None:
    """Write the page as one HTML file; what it names is escaped, its style and script are inside."""
    write_text(path, templates.render("page.html.j2", page=page))
