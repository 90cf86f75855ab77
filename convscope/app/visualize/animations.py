"""The animations of stage 3: pictures that were drawn, one after the other, in the formats asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convscope import images
from convscope.app.visualize.file_names import FileNames
from convscope.config.schema.activations import ActivationsConfig, Animation
from convscope.render.animation import Frames, gif
from convscope.render.artifact import View
from convscope.render.video import mp4, program

_WRITERS = {Animation.gif: gif, Animation.mp4: mp4}
_CHANNELS_FASTER, _FASTEST = 10, 50  # than layers; frames a second, as much as a GIF has
_OF_ALL = ("model_sha256", "photograph", "photograph_sha256")
_OF_LAYER = ("layer", "channels", "value_range", "normalize")


def check(formats: Sequence[Animation]) -> None:
    """Find out before hours of drawing whether they can be written; raises ConvscopeError if not."""
    if Animation.mp4 in formats:
        program()


def animate(
    directory: Path, about: View, frames: Sequence[np.ndarray], rate: float, formats: Sequence[Animation]
) -> Iterator[View]:
    """Write frames in every format; yields each view as it is written.

    `about` has the path without its ending, and what is the same for all formats.
    """
    for each in Animation:
        if each in formats:
            path = f"{about.path}.{each}"
            shown = _WRITERS[each](directory / path, frames, rate)
            caption = f"{about.caption}, {shown:.3g} a second"
            yield replace(about, path=path, caption=caption, provenance={**about.provenance, "rate": shown})


def of_activations(
    directory: Path,
    key: str,
    views: Sequence[Sequence[View]],
    config: ActivationsConfig,
    file_names: FileNames,
) -> Iterator[View]:
    """The layers' pictures of a photograph one after the other, then the channels' of each layer.

    Args:
        directory: of the run.
        key: the photograph's folder in it.
        views: for each layer its picture, followed by those of its channels, if there are any.
        config: which formats, and how fast.
        file_names: hands out each name once.
    """
    if not config.animate:
        return
    of_first = {key: views[0][0].provenance[key] for key in _OF_ALL}
    about = {"view": "animation", "color_map": config.color_map, **of_first}

    def write(stem: str, title: str, pictures: Sequence[View], rate: float, **more: Any) -> Iterator[View]:
        for each in config.animate:
            file_names.take(f"{stem}.{each}", f"animation of {title}")
        frames = Frames(
            [each.size for each in pictures], lambda index: images.load_png(directory / pictures[index].path)
        )
        moving = View(stem, title, f"{len(pictures)} pictures", frames.size, about | more)
        yield from animate(directory, moving, frames, rate, config.animate)

    of_layers = [each[0] for each in views]
    titles = [view.title for view in of_layers]
    yield from write(f"activations/{key}/layers", "all layers", of_layers, config.rate, layers=titles)
    for first, *channels in views:
        if channels:
            stem, rate = first.path[:-4], min(_FASTEST, _CHANNELS_FASTER * config.rate)
            more = {name: first.provenance[name] for name in _OF_LAYER}
            yield from write(stem, first.title, channels, rate, **more)
