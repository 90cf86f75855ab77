"""What `compare=` draws of filters: kernels and patterns, a column a model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope import names
from convscope.app.visualize.compare_sheet import shown_of, write_strip
from convscope.app.visualize.compared import Comparison
from convscope.app.visualize.filters import KERNEL_SIDE
from convscope.config.schema.visualize import VisualizeConfig
from convscope.graph import Layer
from convscope.progress import progress
from convscope.render.artifact import View
from convscope.render.mosaic import Tiles
from convscope.render.strip import Strip
from convscope.vis.ascent import maximize_filters
from convscope.vis.kernels import first_kernels, kernel_pictures
from convscope.vis.layer_selection import with_filters

INTRO = (
    "The kernels of the first convolution, and what filters respond to: each pattern began as the same noise "
    "in every model. Hatched: all weights are zero, or the filter stayed silent."
)


class FilterComparison:
    """Draws the filters of several models into the run directory.

    Layers are checked when it is made; it raises ConvscopeError then.
    """

    def __init__(self, models: Comparison, config: VisualizeConfig, directory: Path):
        self.models, self.config, self.directory = models, config, directory
        chosen = with_filters(models.layers, config.filters.layers, "filters.layers")
        self.patterns = models.same(chosen, "filters.layers")
        kernels = first_kernels(models.layers)
        self.kernels = models.same([kernels], "filters.layers") if kernels else None

    def draw(self) -> Iterator[View]:
        """Write kernels and patterns into `compare/filters/`; yields each view as it is written."""
        if self.kernels:
            yield self._kernels([own for (own,) in self.kernels])
        layers = list(zip(*self.patterns, strict=True))
        counts = [shown_of(same[0], self.config, self.config.filters.limit) for same in layers]
        steps = self.config.filters.steps * len(self.models.all)
        with progress(total=sum(counts) * steps, desc="filters", unit="step") as bar:
            for same, count in zip(layers, counts, strict=True):
                bar.set_description(f"filters of {same[0].path}")
                yield self._patterns(same, count, bar.update)

    def _patterns(self, same: Sequence[Layer], count: int, on_step: Any) -> View:
        settings = self.config.filters
        layer, size = same[0], min(settings.size, *self.models.all[0].bundle.contract.input_size)
        found = [
            maximize_filters(
                each.bundle.model,
                own,
                range(count),
                preprocessing=each.bundle.contract.preprocessing,
                size=size,
                steps=settings.steps,
                seed=self.config.seed,
                on_step=on_step,
            )
            for each, own in zip(self.models.all, same, strict=True)
        ]
        tiles = [Tiles(each.pictures, each.after <= 0, np.arange(count)) for each in found]
        subtitle = (
            f"{count} of {layer.channels} filters, {size}×{size}, {settings.steps} steps from the same noise"
        )
        return write_strip(
            self.models,
            self.directory,
            f"filters/{names.file_name(layer.path)}.png",
            Strip(tiles, self.models.titles, layer.path, subtitle, None),
            {
                "layer": layer.path,
                "channels": [0, count - 1],
                "mean_response_before": [_rounded(each.before) for each in found],
                "mean_response_after": [_rounded(each.after) for each in found],
                "steps": settings.steps,
                "seed": self.config.seed,
            },
        )

    def _kernels(self, same: Sequence[Layer]) -> View:
        layer = same[0]
        count = shown_of(layer, self.config)
        weights = [np.asarray(own.keras_layer.kernel)[..., :count] for own in same]
        end = max(float(np.abs(each).max()) for each in weights)
        tiles, largest = [], []
        for each, model in zip(weights, self.models.all, strict=True):
            order = model.bundle.contract.preprocessing.order
            pictures, own = kernel_pictures(each, order=order, end=end)
            factor = max(1, KERNEL_SIDE // max(pictures.shape[1:3]))
            pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
            tiles.append(Tiles(pictures, own == 0, np.arange(count)))
            largest.append(_rounded(own))
        height, width = weights[0].shape[:2]
        subtitle = (
            f"{count} of {layer.channels} kernels, {height}×{width}, all on one scale: grey is 0, the ends "
            f"are ±{end:.3g}"
        )
        title = f"kernels of {layer.path}"
        return write_strip(
            self.models,
            self.directory,
            f"filters/kernels_{names.file_name(layer.path)}.png",
            Strip(tiles, self.models.titles, title, subtitle, None),
            {
                "layer": layer.path,
                "channels": [0, count - 1],
                "largest_weight": largest,
                "value_range": [-end, end],
                "normalize": "largest absolute weight of all models",
            },
        )


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
