"""Stage 3: draw the chosen views of models and photographs, and write a page that shows them."""

import time
from collections.abc import Sequence
from pathlib import Path

from convscope import run_directories
from convscope.app.visualize import page_content
from convscope.app.visualize.output import PAGE, PHOTOGRAPHS, RunOutput
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View, make_view
from convscope.config.schema.views import VIEWS
from convscope.config.schema.visualize import VisualizeConfig
from convscope.render.artifact import Artifact

PAGE_EVERY = 5.0  # seconds between two versions of the page while a view is drawn


def visualize(config: VisualizeConfig, directory: Path) -> Path:
    """Draw the chosen views of one model or of several into `directory`; return the path of the page.

    Each view writes into a folder of its own name; `photographs/`, `config.yaml`, `manifest.json` and
    `index.html` are added.

    Raises:
        ConvscopeError: a model, a photograph or a setting does not fit, or `directory` has a page already.
        KeyboardInterrupt: after Ctrl-C; the page shows the pictures that are drawn so far.
    """
    with run_directories.locked(directory):
        run = Run(config, RunOutput(directory, config))
        views = [make_view(settings, run) for settings in config.drawn_views()]
        _announce(run)
        run.output.begin([view.settings for view in views])
        _draw_into(run, views)
        run_directories.link_latest(directory)
    print(f"written: {directory / PAGE}")
    return directory / PAGE


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


def _write_page(run: Run, views: Sequence[View]) -> None:
    """Write manifest and page with the artifacts so far."""
    run.output.artifacts.sort(key=lambda artifact: _order(run, artifact))
    run.output.write_manifest(page_content.manifest_models(run))
    page_content.write(run, [view.settings for view in views])


def _order(run: Run, artifact: Artifact) -> tuple[int, int]:
    """Return the position of an artifact in the manifest and on the page: by view, then by photograph."""
    keys = [photograph.key for photograph in run.opened_photographs]
    position = keys.index(artifact.photograph) if artifact.photograph in keys else len(keys)
    return [PHOTOGRAPHS, *VIEWS].index(artifact.view), position


def _announce(run: Run) -> None:
    count = len(run.opened_photographs)
    first = run.models.first
    if len(run.models) > 1:
        print(f"{', '.join(run.models.titles)}: {first.contract.name}; {count} photograph(s)")
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
        written = time.monotonic()
        try:
            for artifact in view.draw():
                run.output.add(artifact)
                if time.monotonic() - written > PAGE_EVERY:
                    _write_page(run, views)
                    written = time.monotonic()
        finally:
            for artifact in view.finish():
                run.output.add(artifact)
    if len(run.models) == 1:
        for photograph in run.opened_photographs:  # a view may have computed them already
            run.probabilities(photograph, run.models.first)
    _write_page(run, views)
