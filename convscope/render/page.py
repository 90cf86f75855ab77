"""The page of stage 3: one HTML file with relative links that opens from disk."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from convscope.files import write_text
from convscope.render import templates
from convscope.render.artifact import Artifact, Role


@dataclass(frozen=True)
class Section:
    """The artifacts of one view, of one photograph or of the models.

    Attributes:
        key: the name of the view, used in links.
        title: the heading.
        intro: one or two sentences below the heading.
        artifacts: in their order.
    """

    key: str
    title: str
    intro: str
    artifacts: Sequence[Artifact]

    @property
    def figures(self) -> list[Artifact]:
        """The pictures that are shown with a caption."""
        return [artifact for artifact in self.artifacts if artifact.role is Role.figure]

    @property
    def overlays(self) -> list[Artifact]:
        """The pictures that lie over the photograph."""
        return [artifact for artifact in self.artifacts if artifact.role is Role.overlay]

    @property
    def other_links(self) -> list[Artifact]:
        """The links that belong to no figure."""
        shown = {artifact.title for artifact in [*self.figures, *self.overlays]}
        links = [artifact for artifact in self.artifacts if artifact.role is Role.link]
        return [link for link in links if link.title not in shown]

    @property
    def html(self) -> list[Markup]:
        """The HTML elements of the artifacts."""
        return [artifact.html for artifact in self.artifacts if artifact.html]

    @property
    def shows_something(self) -> bool:
        """Whether the page shows anything of the section."""
        return bool(self.figures or self.overlays or self.other_links or self.html)

    def links_of(self, artifact: Artifact) -> list[Artifact]:
        """Return the links that belong to a figure or an overlay: those with the same title."""
        return [link for link in self.artifacts if link.role is Role.link and link.title == artifact.title]


@dataclass(frozen=True)
class PhotographPart:
    """A photograph with its sections.

    `scores` are (class, probability), the highest first; `truth` is the true class, None if it is unknown.
    `note` is a line below the name, or empty.
    """

    name: str
    key: str
    picture: Artifact
    scores: Sequence[tuple[str, float]]
    truth: str | None
    sections: Sequence[Section]
    note: str = ""


@dataclass(frozen=True)
class Page:
    """The contents of the page.

    Attributes:
        title: the heading.
        facts: pairs (name, value) about the models and the run.
        photographs: the photographs with their sections.
        leading: the sections before the photographs.
        sections: the sections after the photographs.
        command: the command of the run.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    photographs: Sequence[PhotographPart]
    leading: Sequence[Section]
    sections: Sequence[Section]
    command: str


def write_page(path: Path, page: Page) -> None:
    """Write the page as one HTML file with its style and script; the template escapes all names."""
    write_text(path, templates.render("page.html.j2", page=page))


def page_to_json(page: Page) -> str:
    """Return a page as JSON, without the provenance of its artifacts."""
    return json.dumps(asdict(page), default=str)


def page_from_json(text: str) -> Page:
    """Return the page that `page_to_json` wrote."""
    content = json.loads(text)

    def sections(entries: list[dict[str, Any]]) -> list[Section]:
        return [
            Section(**{**entry, "artifacts": [_artifact(one) for one in entry["artifacts"]]})
            for entry in entries
        ]

    photographs = [
        PhotographPart(
            **{**part, "picture": _artifact(part["picture"]), "sections": sections(part["sections"])}
        )
        for part in content["photographs"]
    ]
    changed = {key: sections(content[key]) for key in ("leading", "sections")}
    return Page(**{**content, **changed, "photographs": photographs})


def _artifact(entry: dict[str, Any]) -> Artifact:
    html = None if entry["html"] is None else Markup(entry["html"])  # noqa: S704  # convscope wrote it
    return Artifact(**{**entry, "role": Role(entry["role"]), "html": html})


def layers_html(columns: Sequence[str], rows: Sequence[Sequence[str | int]], diagram: Markup) -> Markup:
    """Return the table of layers beside the diagram, an SVG element; the second column is the path."""
    return Markup(templates.render("layers.html.j2", columns=columns, rows=rows, diagram=diagram))  # noqa: S704


def numbers_html(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """Return a table of numbers; the first column is the name of the row."""
    return Markup(templates.render("numbers.html.j2", columns=columns, rows=rows))  # noqa: S704
