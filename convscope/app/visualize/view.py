"""The interface of the views of stage 3, and a function that makes a view from its settings."""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import matplotlib
import numpy as np

from convscope import images, names
from convscope.app.visualize.page_layers import index_text
from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.run import Run
from convscope.config.schema.view_config import ViewConfig
from convscope.errors import unknown
from convscope.files import csv_text
from convscope.graph import Layer
from convscope.render.artifact import Artifact, Role, encode_picture
from convscope.render.data_script import data_script

Settings = TypeVar("Settings", bound=ViewConfig)


class View(ABC, Generic[Settings]):
    """One kind of picture that stage 3 draws for one model or several.

    A view gets models, photographs, reference images and snapshots from the run. It computes with
    `convscope.vis`, draws with `convscope.render`, and yields artifacts; the run writes them. A subclass
    checks all its settings in `__init__`, before anything is written, and raises ConvscopeError.
    """

    def __init__(self, run: Run, settings: Settings) -> None:
        """Store the run and the settings; a subclass checks them."""
        self.run, self.settings = run, settings
        color_map = getattr(settings, "color_map", None)
        if color_map is not None and color_map not in matplotlib.colormaps:
            raise unknown("colour map", color_map, matplotlib.colormaps)

    @abstractmethod
    def draw(self) -> Iterator[Artifact]:
        """Yield each artifact when it is ready; the run writes it before it requests the next one."""

    def finish(self) -> Iterator[Artifact]:
        """Yield summaries of the pictures; called after `draw`, also after Ctrl-C or an error."""
        return iter(())

    def file_name(self, option: str, **fields: str) -> str:
        """Return the file name from the pattern in `option`, and reserve it in the run.

        Args:
            option: the name of an option of the settings.
            **fields: the values of the placeholders.

        Raises:
            ConvscopeError: another artifact has that name, or it is in the folder of another view.
        """
        pattern, key = getattr(self.settings, option), f"{self.settings.name}.{option}"
        path = re.sub(r"\{(\w+)\}", lambda match: names.file_name(fields[match[1]]), pattern)
        differing = " and ".join(f"{{{field}}}" for field in fields)
        return self.reserve(path, f"{key}={pattern}", f"names that differ by {differing}")

    def reserve(self, path: str, what: str, expected: str = "another file name") -> str:
        """Reserve a file name in the run and return it; see `RunOutput.reserve`."""
        return self.run.output.reserve(path, what, view=self.settings.name, expected=expected)

    def index_of(self, layer: Layer) -> str:
        """Return the index of a layer as text, with leading zeros so that file names sort."""
        return index_text(layer.index, len(self.run.models.first.layers))

    def picture(
        self,
        path: str,
        pixels: np.ndarray | images.Indexed,
        *,
        title: str,
        caption: str,
        photograph: Photograph | None = None,
        role: Role = Role.figure,
        about: dict[str, Any],
    ) -> Artifact:
        """Return a picture as an artifact: a JPEG if `path` ends in `.jpg`, else a PNG.

        Args:
            path: the path from `file_name`, or a path in the view's own folder.
            pixels: uint8 (height, width, 3), or a picture with a palette.
            title: see `Artifact`.
            caption: see `Artifact`.
            photograph: the photograph that the picture shows.
            role: how the page shows it.
            about: the provenance in addition to models, photograph and seed: layer, channels, value range, …
        """
        provenance = self.provenance(photograph, about)
        return Artifact(
            path=path,
            title=title,
            caption=caption,
            content=encode_picture(path, pixels, title=title, caption=caption, provenance=provenance),
            view=self.settings.name,
            photograph=photograph.key if photograph else None,
            role=role,
            size=(pixels.shape[0], pixels.shape[1]),
            provenance=provenance,
        )

    def chart(self, path: str, draw: Callable[[Path], None], **options: Any) -> Artifact:
        """Return a chart as an artifact: `draw` saves it to a path; the options are those of `picture`."""
        file = self.run.output.path(path)  # the artifact will replace it; a killed run leaves no other file
        draw(file)
        return self.picture(path, images.load_png(file), **options)

    def table(
        self, path: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, about: dict[str, Any]
    ) -> Artifact:
        """Return a CSV table as an artifact."""
        return self.file(path, csv_text(columns, rows).encode(), about=about)

    def file(
        self, path: str, content: bytes | None, *, photograph: Photograph | None = None, about: dict[str, Any]
    ) -> Artifact:
        """Return a file that the page does not show; `content` is None if the file already exists."""
        return Artifact(
            path=path,
            title=path.rpartition("/")[2],
            content=content,
            view=self.settings.name,
            photograph=photograph.key if photograph else None,
            role=Role.file,
            provenance=self.provenance(photograph, about),
        )

    def data_file(
        self,
        path: str,
        content: Any,
        *,
        data: Mapping[str, Any],
        photograph: Photograph | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> Artifact:
        """Return a file that the scripts of the page load.

        Args:
            path: a path in the view's own folder that ends in `.js`; the key of the content is the rest.
            content: the content, as JSON.
            data: see `Artifact`.
            photograph: the photograph that it belongs to.
            about: see `picture`.
        """
        script = data_script(path.removesuffix(".js"), content)
        file = self.file(path, script, photograph=photograph, about=dict(about or {}))
        return replace(file, role=Role.data, data=data)

    def provenance(self, photograph: Photograph | None, about: dict[str, Any]) -> dict[str, Any]:
        """Return the origin of an artifact: view, models, photograph and seed, and the entries of `about`."""
        return {
            "view": self.settings.name,
            **about,
            **self.run.models.provenance,
            **(photograph.provenance if photograph else {}),
            "seed": self.run.config.seed,
        }


def shown_as_table(table: Artifact, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Artifact:
    """Return a file with a table that the page shows."""
    return replace(
        table, data={"kind": "table", "columns": list(columns), "rows": [list(row) for row in rows]}
    )


def make_view(settings: ViewConfig, run: Run) -> View:
    """Import the class of a view and make the view from its settings.

    Raises:
        ConvscopeError: a setting does not fit the models, the photographs or the data.
    """
    module, _, name = settings.drawn_by.partition(":")
    return getattr(importlib.import_module(module), name)(run, settings)
