"""The page: one HTML file with relative links that opens from disk."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from convscope.files import write_text
from convscope.render import templates
from convscope.render.artifact import View


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
    animations: list[View] = field(default_factory=list)  # linked; those of one thing follow each other
    channels: list[View] = field(default_factory=list)  # not on the page: there may be thousands

    @property
    def views(self) -> list[View]:
        """Every picture, in the order of the page."""
        of_classes = [view for each in self.explanations for view in (each.overlay, each.heatmap)]
        return [self.photograph, *of_classes, *self.activations, *self.channels, *self.animations]


@dataclass(frozen=True)
class LayerLine:
    """A layer as a line of a table; its receptive field and stride are empty where it sees everything."""

    index: int
    path: str
    kind: str
    shape: str
    parameters: int
    receptive_field: str
    stride: str

    @property
    def cells(self) -> tuple[int | str, ...]:
        """What the columns of the table hold."""
        return (
            self.index, self.path, self.kind, self.shape, self.parameters, self.receptive_field, self.stride,
        )  # fmt: skip


@dataclass(frozen=True)
class LayersSection:
    """All layers: a table, a drawing (an SVG element), and the paths of models that stay closed."""

    lines: Sequence[LayerLine]
    diagram: Markup
    opaque: Sequence[str]


@dataclass(frozen=True)
class Section:
    """Pictures under a title, with a sentence that says what they are; `key` is its place in links."""

    key: str
    title: str
    views: Sequence[View]
    intro: str = ""


@dataclass(frozen=True)
class Page:
    """What the page shows: a title, facts on the model as (name, value), and the pictures."""

    title: str
    facts: Sequence[tuple[str, str]]
    photographs: Sequence[PhotographViews]
    sections: Sequence[Section]
    command: str
    layers: LayersSection | None = None


def write_page(path: Path, page: Page) -> None:
    """Write the page as one HTML file; what it names is escaped, its style and script are inside."""
    write_text(path, templates.render("page.html.j2", page=page))
