"""Stage 3: a bundle and photographs into views and a page."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from convscope import config as configuration
from convscope.app.announce import MOST_LAYERS
from convscope.app.checkpoint import open_model
from convscope.app.evolution import INTRO as EVOLUTION_INTRO
from convscope.app.evolution import EvolutionDrawing
from convscope.app.examples import INTRO as EXAMPLES_INTRO
from convscope.app.examples import draw_examples, find_examples, write_table
from convscope.app.filters import INTRO as FILTERS_INTRO
from convscope.app.filters import draw_filters, draw_kernels
from convscope.app.layers_view import FILE as LAYERS_FILE
from convscope.app.layers_view import draw_layers
from convscope.app.photographs import PhotographDrawing, choose
from convscope.app.reference import pictures_of
from convscope.config import View as Kind
from convscope.config import VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.files import write_json, write_text
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle, versions
from convscope.progress import progress
from convscope.render.explorer import LayersSection, Page, PhotographViews, Section, write_page
from convscope.render.view import View
from convscope.vis.excited import layers_to_search
from convscope.vis.layers import with_filters

PAGE, MANIFEST = "index.html", "manifest.json"


@dataclass
class Drawn:
    """What a run has drawn so far."""

    photographs: list[PhotographViews] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    layers: LayersSection | None = None
    tables: list[str] = field(default_factory=list)  # and arrays: what is no picture

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


def visualize(config: VisualizeConfig, directory: Path) -> Path:
    """Draw what a checkpoint learned into `directory`; returns the page.

    Written are activations/IMAGE/NN_LAYER.png, class_activation/IMAGE/CLASS_….png, filters/LAYER.png,
    examples/NN_LAYER.png, examples/examples.csv, evolution/IMAGE/NN_LAYER.png, .gif and .mp4,
    photographs/IMAGE.jpg, layers.csv, manifest.json, config.yaml and index.html, which shows it all.

    Raises:
        ConvscopeError: no checkpoint or one that does not fit, no or unreadable photographs, an unknown
            layer or class, no snapshots for the evolution, or a page is in `directory` already.
        KeyboardInterrupt: Ctrl-C; the page shows what was drawn until then.
    """
    if (directory / PAGE).exists() and not config.overwrite:
        raise ConvscopeError(
            f"{directory} holds a page: say overwrite=true to draw anew into it, or choose another "
            "hydra.run.dir"
        )
    bundle = open_model(config)
    layers = bundle.layers
    of_photographs = {Kind.activations, Kind.class_activation, Kind.evolution} & set(config.views)
    photographs = choose(config.images, bundle) if of_photographs else []
    drawing = PhotographDrawing(bundle, layers, config, directory)
    filter_layers: list[Layer] = []
    if Kind.filters in config.views:
        filter_layers = with_filters(layers, config.filters.layers, "filters.layers")
    example_layers: list[Layer] = []
    if Kind.examples in config.views:
        example_layers = layers_to_search(layers, config.examples.layers)
    statistics = drawing.activations is not None and drawing.activations.needs_statistics
    looks_further = statistics or Kind.examples in config.views
    pictures = pictures_of(config.splits, bundle) if looks_further else None
    evolution = _evolution(bundle, config, directory) if Kind.evolution in config.views else None
    print(f"{bundle.path}: {bundle.contract.name}, {len(layers)} layers; {len(photographs)} photograph(s)")
    _remove_old(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / "config.yaml", configuration.to_yaml(config))
    drawn = Drawn()
    if Kind.layers in config.views:
        show = len(layers) <= MOST_LAYERS or config.views == [Kind.layers]
        drawn.layers = draw_layers(layers, bundle.graph.opaque, directory, show=show)
        drawn.tables.append(LAYERS_FILE)
    with _page_whatever_happens(directory, bundle, drawn, config.seed):
        if drawing.activations and pictures and statistics:
            drawing.activations.look_over(pictures)
        steps = drawing.draw(photographs, drawn.photographs)
        for _ in progress(steps, total=len(photographs), desc="photographs", unit="photograph"):
            pass
        if drawing.activations:
            drawn.section("summary", "All layers", "", drawing.activations.finish())
            drawn.tables += drawing.activations.tables
        if evolution:
            drawn.section("evolution", "Evolution", EVOLUTION_INTRO, evolution.draw(photographs))
        if Kind.filters in config.views:
            patterns = draw_filters(bundle, filter_layers, config.filters, directory, seed=config.seed)
            kernels = draw_kernels(bundle, layers, directory)
            drawn.section("filters", "Filters", FILTERS_INTRO, chain(kernels, patterns))
        if pictures and Kind.examples in config.views:
            found = find_examples(bundle, example_layers, pictures, config.examples)
            drawn.tables.append(write_table(found, pictures, directory))
            views = draw_examples(bundle, found, pictures, directory, splits=config.splits)
            drawn.section("examples", "Examples", EXAMPLES_INTRO, views)
    return directory / PAGE


def _evolution(bundle: ModelBundle, config: VisualizeConfig, directory: Path) -> EvolutionDrawing:
    return EvolutionDrawing(bundle, config.evolution, directory, allow_code=config.allow_code)


@contextmanager
def _page_whatever_happens(directory: Path, bundle: ModelBundle, drawn: Drawn, seed: int) -> Iterator[None]:
    """Write manifest and page at the end; after Ctrl-C or a failure with what was drawn until then."""
    try:
        yield
    except KeyboardInterrupt:
        _write_page(directory, bundle, drawn, seed)
        raise KeyboardInterrupt(f"interrupted: {directory / PAGE} shows what was drawn until then") from None
    except ConvscopeError:
        _write_page(directory, bundle, drawn, seed)
        raise
    _write_page(directory, bundle, drawn, seed)
    print(f"written: {directory / PAGE}")


def _write_page(directory: Path, bundle: ModelBundle, drawn: Drawn, seed: int) -> None:
    contract = bundle.contract
    command = shlex.join(["python", *sys.argv])
    about = {
        "command": command,
        "model": {"path": str(bundle.path), "sha256": bundle.sha256},
        "preprocessing": contract.preprocessing.to_json(),
        "seed": seed,
        "versions": versions(),
        "files": [view.to_json() for view in drawn.views],
        "tables": [{"path": path} for path in drawn.tables],
    }
    write_json(directory / MANIFEST, about)
    dataset = contract.dataset.get("name")
    facts = [
        ("network", contract.name),
        ("parameters", f"{bundle.model.count_params():,}"),
        ("layers", str(len(bundle.layers))),
        ("input", f"{contract.input_size[0]}×{contract.input_size[1]} pixels"),
        ("preprocessing", contract.preprocessing.name),
        ("classes", ", ".join(contract.class_names)),
        ("trained on", str(dataset or "not known")),
        ("file", str(bundle.path)),
        ("SHA-256", bundle.sha256),
    ]
    title = f"What {contract.name} learned" + (f" from {dataset}" if dataset else "")
    sections = [section for section in drawn.sections if section.views]
    page = Page(title, facts, drawn.photographs, sections, command, drawn.layers)
    write_page(directory / PAGE, page)


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
    for path in paths:
        if path.is_relative_to(directory.resolve()):
            path.unlink(missing_ok=True)
    (directory / PAGE).unlink(missing_ok=True)
