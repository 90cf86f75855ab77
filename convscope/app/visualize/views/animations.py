"""Animations as GIF and MP4, for the views that have them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convscope import images
from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.view import View
from convscope.config.schema.view_config import Animation
from convscope.ffmpeg import program
from convscope.render.animation import Frames, gif
from convscope.render.artifact import Artifact, Role
from convscope.render.video import mp4

if TYPE_CHECKING:
    from convscope.app.visualize.views.activations.drawing import ActivationsView

_WRITERS = {Animation.gif: gif, Animation.mp4: mp4}
_CHANNELS_FASTER = 10  # factor of the frames per second from layers to channels
_FASTEST = 50  # frames per second, the limit of GIF
_KEPT = ("layer", "channels", "value_range", "normalize")  # provenance from the picture of the layer


def check(formats: Sequence[Animation]) -> None:
    """Raise ConvscopeError if a format cannot be written: MP4 needs ffmpeg."""
    if Animation.mp4 in formats:
        program()


def animate(
    view: View[Any],
    stem: str,
    frames: Sequence[np.ndarray],
    *,
    title: str,
    caption: str,
    photograph: Photograph | None,
    about: dict[str, Any],
    gif_role: Role = Role.link,
) -> Iterator[Artifact]:
    """Write frames in each format of the option `animate`.

    Args:
        view: a view with the options `animate` and, without a rate in `about`, `rate`.
        stem: the path without its suffix.
        frames: uint8 (height, width, 3), all of one size.
        title: see `Artifact`.
        caption: see `Artifact`; the rate is added.
        photograph: the photograph that the frames show, if any.
        about: the provenance; `about["rate"]` replaces the option `rate`.
        gif_role: how the page shows a GIF; an MP4 is a link.
    """
    rate = about.get("rate") or view.settings.rate
    for kind in Animation:
        if kind in view.settings.animate:
            path = view.reserve(f"{stem}.{kind}", f"animation of {title}")
            actual = _WRITERS[kind](view.run.output.path(path), frames, rate)
            yield Artifact(
                path=path,
                title=title,
                caption=f"{caption}, {actual:.3g} per second",
                view=view.settings.name,
                photograph=photograph.key if photograph else None,
                role=gif_role if kind is Animation.gif else Role.link,
                size=(frames[0].shape[0], frames[0].shape[1]),
                provenance=view.provenance(photograph, about | {"rate": actual}),
            )


def of_layers(
    view: "ActivationsView", photograph: Photograph, drawn: Sequence[Sequence[Artifact]]
) -> Iterator[Artifact]:
    """Write an animation of the pictures of all layers, and one of the channels of each layer.

    `drawn` has, for each layer, its picture and the pictures of its channels; their files exist already.
    """
    settings = view.settings
    if not settings.animate:
        return

    def write(
        stem: str, title: str, pictures: Sequence[Artifact], about: dict[str, Any]
    ) -> Iterator[Artifact]:
        directory = view.run.output.folder
        sizes = [picture.size for picture in pictures if picture.size]
        frames = Frames(sizes, lambda index: images.load_png(directory / pictures[index].path))
        caption = f"{len(pictures)} pictures"
        about = {"color_map": settings.color_map, **about}
        yield from animate(
            view, stem, frames, title=title, caption=caption, photograph=photograph, about=about
        )

    grids = [grid for grid, *_ in drawn]
    titles = [grid.title for grid in grids]
    yield from write(f"activations/{photograph.key}/layers", "all layers", grids, {"layers": titles})
    for grid, *channels in drawn:
        if channels:
            about = {name: grid.provenance[name] for name in _KEPT}
            rate = min(_FASTEST, _CHANNELS_FASTER * settings.rate)
            yield from write(grid.path[:-4], grid.title, channels, about | {"rate": rate})
