"""The page of a run: facts about models and photographs, and the artifacts in the order of the views."""

from collections.abc import Iterator, Sequence
from typing import Any

from convscope.app.visualize.output import PHOTOGRAPHS, command
from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.run import Run
from convscope.config.schema.view_config import ViewConfig
from convscope.config.schema.visualize import RANDOM
from convscope.models.bundle import ModelBundle
from convscope.models.states import ModelState
from convscope.render.artifact import Artifact, encode_picture
from convscope.render.page import Page, PhotographPart, Section


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


def page(run: Run, views: Sequence[ViewConfig]) -> Page:
    """Return the page with the artifacts that are written so far."""
    of_photograph: dict[str | None, list[Artifact]] = {None: []}
    for artifact in run.output.artifacts:
        of_photograph.setdefault(artifact.photograph, []).append(artifact)
    parts = []
    for photograph in run.opened_photographs:
        artifacts = of_photograph.get(photograph.key, [])
        if artifacts and artifacts[0].view == PHOTOGRAPHS:
            parts.append(
                PhotographPart(
                    name=photograph.name,
                    key=photograph.key,
                    picture=artifacts[0],
                    scores=sorted(_scores(run, photograph).items(), key=lambda pair: -pair[1]),
                    truth=photograph.truth,
                    sections=_sections(views, artifacts),
                    note=photograph.description if photograph.video else "",
                )
            )
    others = of_photograph[None]
    leading = [view for view in views if view.leads_page]
    return Page(
        title=_title(run),
        facts=_facts(run),
        photographs=parts,
        leading=_sections(leading, others),
        sections=_sections([view for view in views if view not in leading], others),
        command=command(),
    )


def _scores(run: Run, photograph: Photograph) -> dict[str, float]:
    """Return the probabilities of the classes, or an empty dictionary for several models."""
    return run.known_probabilities(photograph, run.models.first) if len(run.models) == 1 else {}


def _sections(views: Sequence[ViewConfig], artifacts: Sequence[Artifact]) -> list[Section]:
    """Return a section for each view with something to show."""
    sections = []
    for view in views:
        section = Section(view.name, view.title, view.intro, [a for a in artifacts if a.view == view.name])
        if section.shows_something:
            sections.append(section)
    return sections


def _title(run: Run) -> str:
    titles = run.models.titles
    if len(titles) > 1:
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
