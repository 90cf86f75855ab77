"""The course of gradient ascent: a chart of the objectives, and an animation of the patterns."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope import images
from convscope.app.visualize.view import View
from convscope.app.visualize.views import animations
from convscope.config.schema.views.filters import FiltersConfig
from convscope.graph import Layer
from convscope.render import figure, mosaic
from convscope.render.animation import Frames
from convscope.render.artifact import Artifact
from convscope.render.mosaic import Tiles
from convscope.vis.ascent.patterns import Patterns

_FRAMES = 24  # of an animation, at most
_RATE = 8.0  # frames per second
_GAP = 5


def frame_every(settings: FiltersConfig) -> int:
    """Return how many steps lie between two frames; 0 without an animation."""
    return -(-settings.steps // _FRAMES) if settings.animate else 0


def of_layer(
    view: View[FiltersConfig], path: str, layer: Layer, channels: Sequence[int], patterns: Patterns
) -> Iterator[Artifact]:
    """Yield the chart and the animations of a layer; nothing if its patterns are exact.

    `path` is that of the sheet of the patterns.
    """
    if patterns.exact.all():
        return
    stem = path.rpartition(".")[0]
    about: dict[str, Any] = {
        "layer": layer.path,
        "channels": [min(channels), max(channels)],
        "chosen": list(channels),
        "method": view.settings.method,
    }
    yield _growth(view, f"{stem}_growth.png", layer, patterns.growth, about)
    yield from _animations(view, stem, layer, np.array(channels), patterns, about)


def _growth(
    view: View[FiltersConfig], path: str, layer: Layer, growth: np.ndarray, about: dict[str, Any]
) -> Artifact:
    title = f"{layer.path}, growth"

    def draw(file: Path) -> None:
        figure.growth(file, growth, title)

    return view.chart(
        view.reserve(path, title),
        draw,
        title=title,
        caption=f"the objective of {len(growth)} channels at each step of the last ascent; bold: the median",
        about=about | {"value_range": [float(growth.min()), float(growth.max())]},
    )


def _animations(
    view: View[FiltersConfig],
    stem: str,
    layer: Layer,
    channels: np.ndarray,
    patterns: Patterns,
    about: dict[str, Any],
) -> Iterator[Artifact]:
    every = frame_every(view.settings)
    if not every:
        return
    pictures = patterns.frames
    steps = [number * every + 1 for number in range(pictures.shape[1])]
    if steps[-1] < view.settings.steps:
        pictures = np.concatenate([pictures, patterns.pictures[:, None]], 1)
        steps.append(view.settings.steps)
    sheets = []
    for number, step in enumerate(steps):
        tiles = Tiles(pictures[:, number], np.zeros(len(channels), bool), channels)
        subtitle = f"step {step} of {view.settings.steps}"
        sheet = mosaic.sheet(tiles, layer.path, subtitle, layout=mosaic.Layout(gap=_GAP))
        sheets.append(images.in_rgb(sheet))
    frames = Frames([(sheet.shape[0], sheet.shape[1]) for sheet in sheets], lambda index: sheets[index])
    yield from animations.animate(
        view,
        f"{stem}_ascent",
        frames,
        title=layer.path,
        caption=f"the ascent in {len(steps)} pictures",
        photograph=None,
        about=about | {"rate": _RATE, "value_range": [0, 255]},
    )
