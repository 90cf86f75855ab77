"""Stage 3: draw the chosen views of models and photographs, and write a page that shows them."""

import time
from collections.abc import Sequence
from pathlib import Path

from convscope import run_directories
from convscope.app.visualize import page_content, shards
from convscope.app.visualize.output import RunOutput
from convscope.app.visualize.rebuild import photographs_of_mistakes, with_results
from convscope.app.visualize.run import Run
from convscope.app.visualize.training_results import sweep_of
from convscope.app.visualize.view import View, make_view
from convscope.config.schema.views import VIEWS
from convscope.config.schema.visualize import VisualizeConfig
from convscope.render.artifact import PHOTOGRAPHS, Artifact
from convscope.render.page import PAGE, write_page

PAGE_EVERY = 5.0  # seconds between two versions of the page while a view is drawn
PAGE_SHARE = 20  # and at least this number of times the duration of writing it


def visualize(config: VisualizeConfig, directory: Path) -> Path:
    """Draw the chosen views of one model or of several into `directory`; return the path of the page.

    Each view writes into a folder of its own name; `photographs/`, `config.yaml`, `manifest.json` and
    `index.html` are added.

    Raises:
        ConvscopeError: a model, a photograph or a setting does not fit, or `directory` has a page already.
        KeyboardInterrupt: after Ctrl-C; the page shows the pictures that are drawn so far.
    """
    page: Path | None = directory / PAGE
    if config.shards > 1:
        shards.check_directory(config, directory)
    with run_directories.locked(directory):
        if config.overwrite or config.shards == 1 or not shards.is_complete(config, directory):
            run = Run(config, RunOutput(directory, config))
            views = [make_view(settings, run) for settings in config.drawn_views()]
            _announce(run)
            run.output.begin([view.settings for view in views])
            _draw_into(run, views)
            run_directories.link_latest(directory)
    if config.shards > 1:
        page = shards.merge(config, directory)
    if page:
        print(f"written: {page}")
    return page or directory / PAGE


def _draw_into(run: Run, views: Sequence[View]) -> None:
    """Draw all views; after Ctrl-C or an error, the page shows the pictures drawn so far.

    If an error occurs before the first picture of a view, nothing is kept.
    """
    try:
        _draw(run, views)
    except KeyboardInterrupt:
        _write_page(run, views)
        shown = run.output.folder / PAGE
        raise KeyboardInterrupt(f"interrupted: {shown} shows the pictures drawn so far") from None
    except Exception:
        if any(artifact.view != PHOTOGRAPHS for artifact in run.output.artifacts):
            _write_page(run, views)
        else:
            run.output.discard()
        raise
    run.output.finish()


def _write_page(run: Run, views: Sequence[View], *, complete: bool = False) -> None:
    """Write page and manifest with the artifacts so far."""
    photographs = {photograph.key: number for number, photograph in enumerate(run.opened_photographs)}
    order = {name: number for number, name in enumerate((PHOTOGRAPHS, *VIEWS))}

    def position(artifact: Artifact) -> tuple[int, int]:
        return order[artifact.view], photographs.get(artifact.photograph or "", len(photographs))

    run.output.artifacts.sort(key=position)
    page = page_content.page(run, [view.settings for view in views], complete=complete)
    content = with_results(page.to_json(), run.training_results)
    others = (
        photographs_of_mistakes(content, run.training_results) if complete and run.config.shards == 1 else {}
    )
    if complete and run.config.shards > 1:
        content["list"] = shards.hash_of_list(run.photograph_paths)
    run.output.page_files = write_page(run.output.path, content, others)
    run.output.write_manifest(page_content.manifest_models(run))


def _announce(run: Run) -> None:
    if run.config.shards > 1:
        shards.announce(run.config)
    count = len(run.opened_photographs)
    first = run.models.first
    if len(run.models) > 1:
        print(f"{', '.join(run.models.titles)}: {first.contract.name}; {count} photograph(s)")
        sweep = sweep_of([str(state.bundle.path) for state in run.models[:]]).get("sweep", {"runs": 0})
        if sweep["runs"] > len(run.models):
            run.note(
                f"{len(run.models)} of {sweep['runs']} runs of the sweep are side by side: "
                "compare=[RUN,RUN] chooses others"
            )
    else:
        print(f"{first.path}: {first.contract.name}, {len(first.layers)} layers; {count} photograph(s)")


def _draw(run: Run, views: Sequence[View]) -> None:
    """Write the photographs, then each view.

    Between the views, and every few seconds during a view, write the page with the pictures so far.
    """
    for artifact in page_content.photograph_artifacts(run):
        run.output.add(artifact)
    for view in views:
        if view is not views[0]:
            _write_page(run, views)
        pause, written = PAGE_EVERY, time.monotonic()
        try:
            for artifact in view.draw():
                run.output.add(artifact)
                began = time.monotonic()
                if began - written > pause:
                    _write_page(run, views)
                    written = time.monotonic()
                    pause = max(PAGE_EVERY, PAGE_SHARE * (written - began))  # a large page takes seconds
        finally:
            for artifact in view.finish():
                run.output.add(artifact)
    if len(run.models) == 1:
        for photograph in run.opened_photographs:  # a view may have computed them already
            run.probabilities(photograph, run.models.first)
    _write_page(run, views, complete=True)
