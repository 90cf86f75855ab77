"""The contents of the page of a run: models, layers, photographs, and the artifacts of the views."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from convscope import invocation
from convscope.app.visualize.output import command
from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.run import Run
from convscope.app.visualize.training_results import sweep_of
from convscope.config.overrides import argument
from convscope.config.schema.view_config import ViewConfig
from convscope.config.schema.visualize import RANDOM
from convscope.models.bundle import ModelBundle, versions
from convscope.models.states import ModelState
from convscope.render.artifact import PHOTOGRAPHS, Artifact, encode_picture
from convscope.render.levels import DIVERGING
from convscope.render.page import Page, PhotographPart, Section, shown_scores


def photograph_artifacts(run: Run) -> Iterator[Artifact]:
    """Yield each photograph of the run as the page shows it."""
    for photograph in run.opened_photographs:
        path = f"{PHOTOGRAPHS}/{photograph.key}.jpg"
        about = {"view": "photograph", **photograph.provenance}
        title, caption = photograph.name, photograph.description
        content = encode_picture(path, photograph.small, title=title, caption=caption, provenance=about)
        size = (photograph.small.shape[0], photograph.small.shape[1])
        yield Artifact(
            path, title, caption, content, PHOTOGRAPHS, photograph.key, size=size, provenance=about
        )


def page(run: Run, views: Sequence[ViewConfig], *, complete: bool) -> Page:
    """Return the page with the artifacts that are written so far."""
    pictures = {a.photograph: a for a in run.output.artifacts if a.view == PHOTOGRAPHS}
    photographs = [
        PhotographPart(
            name=photograph.name,
            key=photograph.key,
            path=pictures[photograph.key].path,
            sha256=photograph.sha256,
            size=pictures[photograph.key].size or (1, 1),
            scores=shown_scores(_scores(run, photograph), photograph.truth),
            truth=photograph.truth,
            note=photograph.description if photograph.video else "",
        )
        for photograph in run.opened_photographs
        if photograph.key in pictures
    ]
    return Page(
        title=_title(run),
        facts=_facts(run),
        models=run.models.titles,
        checkpoints=[str(state.bundle.path) for state in run.models[:]],
        input_size=run.models.first.contract.input_size,
        classes=run.models.last.contract.class_names,
        layers=run.page_layers.parts,
        photographs=photographs,
        views=[Section(view.name, view.title, view.intro) for view in views],
        artifacts=run.output.artifacts,
        program=shlex.join(invocation.program("visualize")) or "convscope visualize",
        model_options=_model_options(run),
        command=command(),
        versions=versions(),
        color_maps={"maps": run.config.settings_of("activations").color_map, "signed": DIVERGING},
        notes=run.notes,
        complete=complete,
    )


def _model_options(run: Run) -> str:
    """Return the options that choose the models, in quotes for a shell."""
    config = run.config
    options = [argument("compare", config.compare)] if config.compare else []
    if config.application:
        options.append(argument("application", config.application))
        if config.weights != "imagenet":
            options.append(argument("weights", config.weights) if config.weights else "weights=null")
    elif not config.compare:
        options.append(argument("checkpoint", config.checkpoint or str(run.models.first.path)))
    return shlex.join(options)


def _scores(run: Run, photograph: Photograph) -> dict[str, float]:
    """Return the probabilities of the classes, or an empty dictionary for several models."""
    return run.known_probabilities(photograph, run.models.first) if len(run.models) == 1 else {}


def _title(run: Run) -> str:
    titles = run.models.titles
    if len(titles) > 1:
        paths = [str(state.bundle.path) for state in run.models[:]]
        if sweep_of(paths):
            return f"{len(titles)} runs of the sweep {Path(paths[0]).parents[1].name} side by side"
        return f"{', '.join(titles[:-1])} and {titles[-1]} side by side"
    contract = run.models.first.contract
    dataset = contract.dataset.get("name")
    return f"What {contract.name} learned" + (f" from {dataset}" if dataset else "")


def _facts(run: Run) -> list[tuple[str, str]]:
    if len(run.models) == 1:
        return _facts_of(run.models.first)
    facts = [("network", run.models.first.contract.name), ("seed", str(run.config.seed))]
    for state in run.models[:]:
        contract = state.bundle.contract
        facts += [
            (state.title, str(state.bundle.path)),
            ("SHA-256", state.bundle.sha256),
            ("preprocessing", contract.preprocessing.name),
            ("classes", ", ".join(contract.class_names)),
        ]
    return facts


def _facts_of(bundle: ModelBundle) -> list[tuple[str, str]]:
    contract = bundle.contract
    return [
        ("network", contract.name),
        ("parameters", f"{bundle.model.count_params():,}"),
        ("layers", str(len(bundle.layers))),
        ("input", f"{contract.input_size[0]}×{contract.input_size[1]} pixels"),
        ("preprocessing", contract.preprocessing.name),
        ("classes", ", ".join(contract.class_names)),
        ("trained on", str(contract.dataset.get("name") or "unknown")),
        ("file", str(bundle.path)),
        ("SHA-256", bundle.sha256),
    ]


def manifest_models(run: Run) -> list[dict[str, Any]]:
    """Return the entry of each model in the manifest."""

    def entry(state: ModelState, given: str) -> dict[str, Any]:
        bundle = state.bundle
        about = {
            "title": state.title,
            "path": str(bundle.path),
            "sha256": bundle.sha256,
            "preprocessing": bundle.contract.preprocessing.to_json(),
        }
        return about | ({"seed": run.config.seed} if given == RANDOM else {})

    given = run.config.compare or [""]
    return [entry(state, name) for state, name in zip(run.models[:], given, strict=True)]
