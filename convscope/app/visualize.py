"""Stage 3: a bundle and photographs into views and a page."""

from dataclasses import asdict
from itertools import chain
from pathlib import Path

from convscope import config as configuration
from convscope.app.announce import MOST_LAYERS
from convscope.app.checkpoint import open_model
from convscope.app.compare import compare
from convscope.app.evolution import INTRO as EVOLUTION_INTRO
from convscope.app.evolution import EvolutionDrawing
from convscope.app.examples import INTRO as EXAMPLES_INTRO
from convscope.app.examples import draw_examples, find_examples, write_table
from convscope.app.filters import INTRO as FILTERS_INTRO
from convscope.app.filters import draw_filters, draw_kernels
from convscope.app.layers_view import FILE as LAYERS_FILE
from convscope.app.layers_view import draw_layers
from convscope.app.page import (
    CONFIG,
    PAGE,
    Drawn,
    Subject,
    page_whatever_happens,
    refuse_strangers,
    remove_old,
)
from convscope.app.photographs import PhotographDrawing, choose
from convscope.app.reference import note_a_change, pictures_of
from convscope.config import View as Kind
from convscope.config import VisualizeConfig
from convscope.data.manifest import SPLITS
from convscope.errors import ConvscopeError
from convscope.files import write_text
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.progress import progress
from convscope.render.view import DataFile
from convscope.vis.excited import layers_to_search
from convscope.vis.layers import with_filters


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
    if of_photographs or (looks_further and set(SPLITS) & set(config.splits)):
        note_a_change(bundle)
    evolution = _evolution(bundle, config, directory) if Kind.evolution in config.views else None
    print(f"{bundle.path}: {bundle.contract.name}, {len(layers)} layers; {len(photographs)} photograph(s)")
    remove_old(directory)
    refuse_strangers(directory, asdict(config.files).values())
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / CONFIG, configuration.to_yaml(config))
    drawn = Drawn()
    if Kind.layers in config.views:
        show = len(layers) <= MOST_LAYERS or config.views == [Kind.layers]
        drawn.layers = draw_layers(layers, bundle.graph.opaque, directory, show=show)
        drawn.tables.append(DataFile(LAYERS_FILE, {"view": "layers", "model_sha256": bundle.sha256}))
    with page_whatever_happens(directory, _subject_of(bundle, config.seed), drawn):
        if drawing.activations and pictures and statistics:
            drawing.activations.look_over(pictures)
        try:
            steps = drawing.draw(photographs, drawn.photographs)
            for _ in progress(steps, total=len(photographs), desc="photographs", unit="photograph"):
                pass
        finally:
            if drawing.activations:
                drawn.section("summary", "All layers", "", drawing.activations.finish())
                drawn.tables += drawing.activations.tables
        if evolution:
            drawn.section("evolution", "Evolution", EVOLUTION_INTRO, evolution.draw(photographs))
        if Kind.filters in config.views:
            patterns = draw_filters(
                bundle,
                filter_layers,
                config.filters,
                directory=directory,
                file_names=drawing.file_names,
                seed=config.seed,
            )
            kernels = draw_kernels(bundle, layers, directory=directory, file_names=drawing.file_names)
            drawn.section("filters", "Filters", FILTERS_INTRO, chain(kernels, patterns))
        if pictures and Kind.examples in config.views:
            found = find_examples(bundle, example_layers, pictures, config.examples)
            drawn.tables.append(write_table(bundle, found, pictures, directory))
            views = draw_examples(bundle, found, pictures, directory, splits=config.splits)
            drawn.section("examples", "Examples", EXAMPLES_INTRO, views)
    return directory / PAGE


def _evolution(bundle: ModelBundle, config: VisualizeConfig, directory: Path) -> EvolutionDrawing:
    return EvolutionDrawing(bundle, config.evolution, directory, allow_code=config.allow_code)


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
