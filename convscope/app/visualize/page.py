"""The page of a run of stage 3 and its manifest: what was drawn, whatever ends the run."""

import json
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from convscope.config import launch as configuration
from convscope.config.schema.visualize import VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.files import write_json, write_text
from convscope.models.bundle import versions
from convscope.render.artifact import DataFile, View
from convscope.render.page import LayersSection, Page, PhotographViews, Section, write_page

FOLDERS = ("photographs", "activations", "filters", "class_activation", "examples", "evolution", "compare")
PAGE, MANIFEST, CONFIG = "index.html", "manifest.json", "config.yaml"


@dataclass
class Drawn:
    """What a run has drawn so far."""

    photographs: list[PhotographViews] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    layers: LayersSection | None = None
    tables: list[DataFile] = field(default_factory=list)

    @property
    def views(self) -> list[View]:
        """Every picture, in the order of the page."""
        of_photographs = [view for each in self.photographs for view in each.views]
        return of_photographs + [view for section in self.sections for view in section.views]

    def section(self, key: str, title: str, intro: str, views: Iterable[View]) -> None:
        """Draw a section of the page, each view as it is asked for, so that what Ctrl-C leaves is shown."""
        found: list[View] = []
        self.sections.append(Section(key, title, found, intro))
        for view in views:
            found.append(view)


@dataclass(frozen=True)
class Subject:
    """What a page is about: its title, facts as (name, value), and what the manifest says of the models."""

    title: str
    facts: list[tuple[str, str]]
    manifest: dict[str, Any]


@contextmanager
def page_whatever_happens(directory: Path, subject: Subject, drawn: Drawn) -> Iterator[None]:
    """Write manifest and page at the end; after Ctrl-C or a failure with what was drawn until then."""
    try:
        yield
    except KeyboardInterrupt:
        _write(directory, subject, drawn)
        raise KeyboardInterrupt(f"interrupted: {directory / PAGE} shows what was drawn until then") from None
    except Exception:
        _write(directory, subject, drawn)
        raise
    _write(directory, subject, drawn)
    print(f"written: {directory / PAGE}")


def _write(directory: Path, subject: Subject, drawn: Drawn) -> None:
    command = shlex.join(["python", *sys.argv])
    about = {
        "command": command,
        **subject.manifest,
        "versions": versions(),
        "files": [view.to_json() for view in drawn.views],
        "tables": [each.to_json() for each in [*drawn.tables, DataFile(CONFIG), DataFile(PAGE)]],
    }
    write_json(directory / MANIFEST, about)
    sections = [section for section in drawn.sections if section.views]
    page = Page(subject.title, subject.facts, drawn.photographs, sections, command, drawn.layers)
    write_page(directory / PAGE, page)


def begin(directory: Path, config: VisualizeConfig) -> None:
    """Make the run directory ready: what an earlier run in it listed is deleted, config.yaml is written.

    Raises:
        ConvscopeError: it holds files that no run listed, and that this one might overwrite.
    """
    _remove_old(directory)
    _refuse_strangers(directory, asdict(config.files).values())
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / CONFIG, configuration.to_yaml(config))


def _remove_old(directory: Path) -> None:
    """Delete what the manifest of an earlier page in this directory lists, and nothing else."""
    manifest = directory / MANIFEST
    if not manifest.is_file():
        return
    try:
        content = json.loads(manifest.read_text("utf-8"))
        listed: list[Any] = content["files"] + content.get("tables", [])
        paths = [(directory / entry["path"]).resolve() for entry in listed]
    except (ValueError, KeyError, TypeError):
        raise ConvscopeError(f"malformed {manifest}: choose another hydra.run.dir") from None
    for path in [*paths, manifest, directory / PAGE, directory / CONFIG]:
        if path.is_relative_to(directory.resolve()):
            path.unlink(missing_ok=True)


def _refuse_strangers(directory: Path, patterns: Iterable[str]) -> None:
    """Raise ConvscopeError for a file where a run's own are to be; what fields may be is left open."""
    own = [f"{folder}/*" for folder in FOLDERS] + [MANIFEST, CONFIG, PAGE, "layers.csv"]
    own += [re.sub(r"\{\w+\}", "*", pattern) for pattern in patterns]
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and any(fnmatchcase(name.casefold(), each.casefold()) for each in own):
            raise ConvscopeError(
                f"{directory} holds {name}, which no finished run of visualize.py lists and this one might "
                "overwrite: choose another hydra.run.dir, or move it away"
            )
