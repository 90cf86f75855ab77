"""The output of a run: its folder, its file names, its artifacts and its manifest.

A run writes into its directory or, if the directory already has a page, into a folder beside it. At the end,
the two folders are exchanged in one step. A journal lists each file before it is written. If the process is
killed, the next run knows from the journal which files it can delete.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any

from convscope import invocation
from convscope.config.registry import to_yaml
from convscope.config.schema.view_config import ViewConfig
from convscope.config.schema.views import VIEWS
from convscope.config.schema.visualize import VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.files import exchange, write_bytes, write_json, write_text
from convscope.models.bundle import versions
from convscope.render.artifact import PHOTOGRAPHS, Artifact
from convscope.render.page import FOLDER, PAGE, SAVED

MANIFEST, CONFIG = "manifest.json", "config.yaml"
JOURNAL = ".unfinished"  # exists until a run is complete


class RunOutput:
    """Reserves file names, writes artifacts, and lists them in their order.

    Attributes:
        directory: the run directory.
        folder: the folder for the files: the run directory, or a folder beside it until the run is complete.
        artifacts: the artifacts that are written so far.
        page_files: the paths of the files of the page.
    """

    def __init__(self, directory: Path, config: VisualizeConfig) -> None:
        """Check that the run can write into the directory.

        Raises:
            ConvscopeError: the directory has the page of a complete run and `overwrite` is false.
        """
        self.directory, self.config = directory, config
        self._replaces = (directory / PAGE).exists() and not (directory / JOURNAL).exists()
        if self._replaces and not config.overwrite:
            raise ConvscopeError(
                f"{directory} already has a page: set overwrite=true to replace it, or choose another "
                "hydra.run.dir"
            )
        real = directory.resolve()  # so that the new folder is beside the directory, not beside a link to it
        self.folder = real.with_name(f".{real.name}.partial") if self._replaces else directory
        self.artifacts: list[Artifact] = []
        self.page_files: list[str] = []
        self._reserved: set[str] = set()
        self._lock = Lock()

    def reserve(self, path: str, what: str, *, view: str, expected: str) -> str:
        """Reserve a file name for an artifact and return it. This method is thread-safe.

        Args:
            path: the path relative to the run directory.
            what: the option with the name, for the error message.
            view: the name of the view that writes the file.
            expected: a description of valid names, for the error message.

        Raises:
            ConvscopeError: the name is already reserved, or it is in the folder of another view.
        """
        folder = path.partition("/")[0].casefold()
        if "/" in path and folder != view and folder in {FOLDER, PHOTOGRAPHS, *VIEWS}:
            raise ConvscopeError(f"{what}: {path} is in the folder of {folder}; expected another folder")
        with self._lock:
            if path.casefold() in self._reserved:
                raise ConvscopeError(f"{what}: two files would have the name {path}; expected {expected}")
            self._reserved.add(path.casefold())
        return path

    def begin(self, views: Iterable[ViewConfig]) -> None:
        """Prepare the folder, and write `config.yaml`.

        Raises:
            ConvscopeError: the directory has a file that no run listed and that this run could overwrite.
        """
        patterns = [f"{folder}/*" for folder in (FOLDER, PHOTOGRAPHS, *VIEWS)]
        patterns += [MANIFEST, CONFIG, PAGE, SAVED]
        patterns += [pattern for view in views for pattern in view.patterns]
        listed = listed_in(self.directory)
        refuse_unlisted_files(self.directory, patterns, listed)
        if self.folder.is_symlink() and self._replaces:
            raise ConvscopeError(f"{self.folder} is a symbolic link, expected a folder: delete the link")
        if not self._replaces:
            _delete(self.folder, listed)
        elif self.folder.exists():  # left by a killed run
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.path(CONFIG), to_yaml(self.config))

    def path(self, path: str) -> Path:
        """Return the path for writing a file of the run, and list the file in the journal."""
        with self._lock:
            return path_in_journal(self.folder, path)

    def add(self, artifact: Artifact) -> None:
        """Write an artifact, unless its file already exists, and list it."""
        if artifact.content is not None:
            write_bytes(self.path(artifact.path), artifact.content)
        self.artifacts.append(replace(artifact, content=None))

    def write_manifest(self, models: list[dict[str, Any]]) -> None:
        """Write `manifest.json`: command, models, versions, and every file with its provenance."""
        others = [{"path": path} for path in (CONFIG, *self.page_files)]
        content = {
            "command": command(),
            "models": models,
            "seed": self.config.seed,
            "versions": versions(),
            "files": [artifact.to_json() for artifact in self.artifacts] + others,
        }
        write_json(self.path(MANIFEST), content)

    def finish(self) -> None:
        """Mark the run as complete; with `overwrite`, let it replace the earlier run."""
        (self.folder / JOURNAL).unlink(missing_ok=True)
        if self._replaces:
            earlier = listed_in(self.directory)
            if not self._exchange(earlier):
                self._move_files(earlier)
            shutil.rmtree(self.folder)

    def _exchange(self, earlier: set[str]) -> bool:
        """Exchange the new folder and the directory; return False if the system cannot do it in one step.

        Files that are not those of the `earlier` run, such as the lock file, become part of the new folder.
        """
        real = self.directory.resolve()
        if Path.cwd().is_relative_to(real):  # the shell of the user would be in a deleted folder
            return False
        try:
            _link_others(real, self.folder, earlier)
            shutil.copymode(real, self.folder)
        except OSError:  # a file system without hard links
            return False
        return exchange(self.folder, real)

    def _move_files(self, earlier: set[str]) -> None:
        """Move the new files into the directory one by one, then delete other files of the earlier run."""
        new = [artifact.path for artifact in self.artifacts] + [*self.page_files, CONFIG, MANIFEST]
        for path in new:
            target = self.directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).replace(target)
        _delete(self.directory, earlier - set(new))

    def discard(self) -> None:
        """Delete the files of a run that failed before its first picture."""
        _delete(self.folder, listed_in(self.folder))
        folders = [path for path in self.folder.rglob("*") if path.is_dir() and not path.is_symlink()]
        for folder in [*sorted(folders, reverse=True), self.folder]:
            with suppress(OSError):  # it has other files
                folder.rmdir()


def command() -> str:
    """Return the command that was started."""
    return invocation.this_command()


def path_in_journal(folder: Path, path: str) -> Path:
    """Return the path for writing a file of the run, and list the file in the journal of the folder."""
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write(f"{path}\n")
    return folder / path


def listed_in(directory: Path) -> set[str]:
    """Return the files that the manifest or the journal of a run in a directory lists.

    Raises:
        ConvscopeError: the manifest is malformed.
    """
    paths = set()
    if (directory / MANIFEST).is_file():
        try:
            content = json.loads((directory / MANIFEST).read_text("utf-8"))
            listed: list[Any] = content["files"] + content.get("tables", [])
            paths = {str(entry["path"]) for entry in listed} | {MANIFEST, PAGE, CONFIG}
        except (ValueError, KeyError, TypeError):
            raise ConvscopeError(
                f"malformed {directory / MANIFEST}: delete it, or choose another hydra.run.dir"
            ) from None
    if (directory / JOURNAL).is_file():
        written = (directory / JOURNAL).read_text("utf-8").splitlines()
        partial = [str(Path(path).with_name(f".{Path(path).name}.partial")) for path in written]
        paths |= {*written, *partial, PAGE, MANIFEST, f".{MANIFEST}.partial", f".{PAGE}.partial", JOURNAL}
    return paths


def _delete(directory: Path, paths: Iterable[str]) -> None:
    """Delete files below a directory; paths outside of it are ignored."""
    for path in paths:
        file = (directory / path).resolve()
        if file.is_relative_to(directory.resolve()) and not file.is_dir():
            file.unlink(missing_ok=True)


def _link_others(directory: Path, new: Path, listed: set[str]) -> None:
    """Link the files below `directory` that are not `listed` to the same paths below `new`."""
    for parent, folders, files in os.walk(directory):
        relative = Path(parent).relative_to(directory)
        if not folders and not files:
            (new / relative).mkdir(parents=True, exist_ok=True)
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in (*files, *links):
            if (relative / name).as_posix() not in listed:
                (new / relative).mkdir(parents=True, exist_ok=True)
                os.link(Path(parent, name), new / relative / name, follow_symlinks=False)


def refuse_unlisted_files(directory: Path, patterns: Iterable[str], listed: set[str]) -> None:
    """Raise ConvscopeError for an unlisted file that matches a pattern with any value of its placeholders."""
    globs = [re.sub(r"\{\w+\}", "*", pattern).casefold() for pattern in patterns]
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        matches = any(fnmatchcase(name.casefold(), pattern) for pattern in globs)
        if matches and name not in listed and path.is_file():
            raise ConvscopeError(
                f"{directory} has a file {name} that is in no manifest of stage 3; this run could "
                "overwrite it: move the file, or choose another hydra.run.dir"
            )
