"""Feature maps of several models: a row for each channel, a column for each model, on one scale."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.views.strips import map_strip, shown_channels, strip_picture
from convscope.config.schema.view_config import Normalize
from convscope.graph import Layer
from convscope.render.artifact import Artifact
from convscope.render.levels import on_one_scale, standardize

if TYPE_CHECKING:
    from convscope.app.visualize.views.activations.drawing import ActivationsView


class MapStrips:
    """The layout of several models."""

    def __init__(self, view: "ActivationsView") -> None:
        """Store the view."""
        self.view = view

    def draw(self, photograph: Photograph, layer: Layer, maps: Sequence[np.ndarray]) -> list[Artifact]:
        """Return the strip of the first channels of a layer; see `MapLayout`."""
        view, titles = self.view, self.view.run.models.titles
        count = shown_channels(view, layer.channels)
        first = np.stack(maps)[..., :count]
        low, high = float(first.min()), float(first.max())
        single = first.shape[1:3] == (1, 1)  # a single position has no standard deviation
        own = view.run.config.settings_of("comparison").normalize is Normalize.channel and not single
        levels = [standardize(of_model) if own else on_one_scale(of_model, low, high) for of_model in first]
        size = "×".join(map(str, layer.shape))
        shown = f"{layer.kind}, {size}" + (f", the first {count} channels" if count < layer.channels else "")
        normalize = f"all models and channels on one scale, {low:.3g} to {high:.3g}"
        if own:
            normalize = "each map on its own scale, its mean ± 2 σ"
        columns = [
            f"{title}\n" + f"{of_model.min():.2g} to {of_model.max():.2g}".replace("-", "−")
            for title, of_model in zip(titles, first, strict=True)
        ]
        strip = map_strip(
            levels,
            range(count),
            columns=columns,
            title=layer.path,
            subtitle=f"{shown}, {normalize}",
            color_map=view.settings.color_map,
            max_tile=view.settings.max_tile,
        )
        about = {
            "layer": layer.path,
            "channels": [0, count - 1],
            "value_range": [low, high],
            "value_range_of_models": [[float(of_model.min()), float(of_model.max())] for of_model in first],
            "silent": [int(of_model.silent.sum()) for of_model in levels],
            "color_map": view.settings.color_map,
            "normalize": normalize,
        }
        path = view.file_name("file", **view.placeholders(photograph, layer))
        return [strip_picture(view, path, strip, photograph, about)]

    def finish(self) -> Iterator[Artifact]:
        """Yield nothing: the view `comparison` summarizes several models."""
        return iter(())
