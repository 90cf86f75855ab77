"""The output of a run: its file names, its artifacts and its manifest."""

import json
import re
import shlex
import sys
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any

from convscope.config.launch import to_yaml
from convscope.config.schema.view import ViewConfig
from convscope.config.schema.views import VIEWS
from convscope.config.schema.visualize import VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.files import write_bytes, write_json, write_text
from convscope.models.bundle import versions
from convscope.render.artifact import Artifact

PAGE, MANIFEST, CONFIG = "index.html", "manifest.json", "config.yaml"
PHOTOGRAPHS = "photographs"  # the folder of the photographs as the page shows them


class Output:
    """The run directory: hands out file names, writes artifacts, and remembers them in their order."""

    def __init__(self, directory: Path, config: VisualizeConfig) -> None:
        """Check that the directory may be written to.

        Raises:
            ConvscopeError: it has a page and `overwrite` is false.
        """
        if (directory / PAGE).exists() and not config.overwrite:
            raise ConvscopeError(
                f"{directory} has a page already: set overwrite=true to replace it, or choose another "
                "hydra.run.dir"
            )
        self.directory, self.config = directory, config
        self.artifacts: list[Artifact] = []
        self._reserved: set[str] = set()
        self._lock = Lock()

    def reserve(self, path: str, what: str, *, view: str, expected: str) -> str:
        """Reserve a file name for an artifact and return it; several threads may call this.

        Args:
            path: relative to the run directory.
            what: the option that gave the name, for the error.
            view: the name of the view that writes it.
            expected: what other names would do, for the error.

        Raises:
            ConvscopeError: the name is reserved already, or it lies in the folder of another view.
        """
        folder = path.partition("/")[0].casefold()
        if "/" in path and folder != view and folder in {PHOTOGRAPHS, *VIEWS}:
            raise ConvscopeError(f"{what}: {path} is in the folder of {folder}; expected another folder")
        with self._lock:
            if path.casefold() in self._reserved:
                raise ConvscopeError(f"{what}: two files would have the name {path}; expected {expected}")
            self._reserved.add(path.casefold())
        return path

    def begin(self, views: Iterable[ViewConfig]) -> None:
        """Delete what an earlier run in this directory listed, and write `config.yaml`.

        Raises:
            ConvscopeError: the directory holds a file that no run listed and that this run may overwrite.
        """
        _remove_earlier_run(self.directory)
        own = [f"{folder}/*" for folder in (PHOTOGRAPHS, *VIEWS)] + [MANIFEST, CONFIG, PAGE]
        own += [pattern for view in views for pattern in view.patterns]
        _refuse_unlisted_files(self.directory, own)
        self.directory.mkdir(parents=True, exist_ok=True)
        write_text(self.directory / CONFIG, to_yaml(self.config))

    def add(self, artifact: Artifact) -> None:
        """Write an artifact, unless it is written already, and list it."""
        if artifact.content is not None:
            write_bytes(self.directory / artifact.path, artifact.content)
        self.artifacts.append(replace(artifact, content=None))

    def write_manifest(self, models: list[dict[str, Any]]) -> None:
        """Write `manifest.json`: command, models, versions, and every file with its provenance."""
        others = [{"path": CONFIG}, {"path": PAGE}]
        content = {
            "command": command(),
            "models": models,
            "seed": self.config.seed,
            "versions": versions(),
            "files": [artifact.to_json() for artifact in self.artifacts] + others,
        }
        write_json(self.directory / MANIFEST, content)


def command() -> str:
    """Return the command line of this process."""
    return shlex.join(["python", *sys.argv])


def _remove_earlier_run(directory: Path) -> None:
    """Delete the files that the manifest of an earlier run in this directory lists, and no others."""
    manifest = directory / MANIFEST
    if not manifest.is_file():
        return
    try:
        content = json.loads(manifest.read_text("utf-8"))
        listed: list[Any] = content["files"] + content.get("tables", [])
        paths = [(directory / entry["path"]).resolve() for entry in listed]
    except (ValueError, KeyError, TypeError):
        raise ConvscopeError(f"malformed {manifest}: delete it, or choose another hydra.run.dir") from None
    for path in [*paths, manifest, directory / PAGE, directory / CONFIG]:
        if path.is_relative_to(directory.resolve()):
            path.unlink(missing_ok=True)


def _refuse_unlisted_files(directory: Path, patterns: Iterable[str]) -> None:
    """Raise ConvscopeError for a file whose name fits a pattern, whatever its placeholders stand for."""
    own = [re.sub(r"\{\w+\}", "*", pattern).casefold() for pattern in patterns]
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and any(fnmatchcase(name.casefold(), pattern) for pattern in own):
            raise ConvscopeError(
                f"{directory} has a file {name} that is in no manifest of visualize.py; this run could "
                "overwrite it: move the file, or choose another hydra.run.dir"
            )
