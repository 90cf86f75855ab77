"""Stage 3: a bundle and photographs into views and a page."""

from itertools import chain
from pathlib import Path

from convscope.app.visualize.checkpoint import open_model
from convscope.app.visualize.compare import compare
from convscope.app.visualize.evolution import INTRO as EVOLUTION_INTRO
from convscope.app.visualize.evolution import EvolutionDrawing
from convscope.app.visualize.examples import INTRO as EXAMPLES_INTRO
from convscope.app.visualize.examples import draw_examples, find_examples, write_table
from convscope.app.visualize.filters import INTRO as FILTERS_INTRO
from convscope.app.visualize.filters import draw_filters, draw_kernels
from convscope.app.visualize.layers_view import draw_layers
from convscope.app.visualize.page import PAGE, Drawn, Subject, begin, page_whatever_happens
from convscope.app.visualize.photographs import PhotographDrawing, choose
from convscope.app.visualize.reference import note_a_change, pictures_of
from convscope.config.schema.visualize import View as Kind
from convscope.config.schema.visualize import VisualizeConfig
from convscope.data.manifest import SPLITS
from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.progress import progress
from convscope.vis.excited import layers_to_search
from convscope.vis.layer_selection import with_filters


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
    if config.compare:
        return compare(config, directory)
    bundle = open_model(config)
    drawing = _Drawing(bundle, config, directory)
    layers, photographs = len(bundle.layers), len(drawing.photographs)
    print(f"{bundle.path}: {bundle.contract.name}, {layers} layers; {photographs} photograph(s)")
    begin(directory, config)
    drawn = Drawn()
    with page_whatever_happens(directory, _subject_of(bundle, config.seed), drawn):
        draw_layers(bundle, config, directory, drawn)
        drawing.of_photographs(drawn)
        drawing.of_the_model(drawn)
    return directory / PAGE


class _Drawing:
    """What a run draws; all that can be checked beforehand is checked when it is made."""

    def __init__(self, bundle: ModelBundle, config: VisualizeConfig, directory: Path):
        self.bundle, self.config, self.directory = bundle, config, directory
        views = set(config.views)
        looks_at = {Kind.activations, Kind.class_activation, Kind.evolution} & views
        self.photographs = choose(config.images, bundle) if looks_at else []
        self.each = PhotographDrawing(bundle, bundle.layers, config, directory)
        self.filter_layers: list[Layer] = []
        if Kind.filters in views:
            self.filter_layers = with_filters(bundle.layers, config.filters.layers, "filters.layers")
        self.example_layers: list[Layer] = []
        if Kind.examples in views:
            self.example_layers = layers_to_search(bundle.layers, config.examples.layers)
        looks_further = bool(self.example_layers) or self.each.needs_statistics
        self.pictures = pictures_of(config.splits, bundle) if looks_further else None
        if looks_at or (looks_further and set(SPLITS) & set(config.splits)):
            note_a_change(bundle)
        self.evolution: EvolutionDrawing | None = None
        if Kind.evolution in views:
            self.evolution = EvolutionDrawing(
                bundle, config.evolution, directory, allow_code=config.allow_code
            )

    def of_photographs(self, drawn: Drawn) -> None:
        """Feature maps, class activation and evolution of each photograph."""
        activations = self.each.activations
        if activations and self.pictures and self.each.needs_statistics:
            activations.look_over(self.pictures)
        try:
            steps = self.each.draw(self.photographs, drawn.photographs)
            for _ in progress(steps, total=len(self.photographs), desc="photographs", unit="photograph"):
                pass
        finally:
            if activations:
                drawn.section("summary", "All layers", "", activations.finish())
                drawn.tables += activations.tables
        if self.evolution:
            drawn.section("evolution", "Evolution", EVOLUTION_INTRO, self.evolution.draw(self.photographs))

    def of_the_model(self, drawn: Drawn) -> None:
        """Filters, and what in a data set excites channels."""
        bundle, config, directory = self.bundle, self.config, self.directory
        if Kind.filters in config.views:
            file_names = self.each.file_names
            patterns = draw_filters(
                bundle,
                self.filter_layers,
                config.filters,
                directory=directory,
                file_names=file_names,
                seed=config.seed,
            )
            kernels = draw_kernels(bundle, bundle.layers, directory=directory, file_names=file_names)
            drawn.section("filters", "Filters", FILTERS_INTRO, chain(kernels, patterns))
        if self.pictures and self.example_layers:
            found = find_examples(bundle, self.example_layers, self.pictures, config.examples)
            drawn.tables.append(write_table(bundle, found, self.pictures, directory))
            views = draw_examples(bundle, found, self.pictures, directory, splits=config.splits)
            drawn.section("examples", "Examples", EXAMPLES_INTRO, views)


def _subject_of(bundle: ModelBundle, seed: int) -> Subject:
    contract = bundle.contract
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
    manifest = {
        "model": {"path": str(bundle.path), "sha256": bundle.sha256},
        "preprocessing": contract.preprocessing.to_json(),
        "seed": seed,
    }
    return Subject(f"What {contract.name} learned" + (f" from {dataset}" if dataset else ""), facts, manifest)
