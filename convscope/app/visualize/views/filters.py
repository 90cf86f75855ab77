"""The filters view: kernels of the first convolution, and patterns that filters respond to."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from convscope import names
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views.strips import shown_channels, strip_picture
from convscope.config.schema.views import FiltersConfig
from convscope.graph import Layer
from convscope.progress import progress
from convscope.render import mosaic
from convscope.render.artifact import Artifact
from convscope.render.mosaic import Tiles
from convscope.render.strip import Strip
from convscope.vis.ascent import Patterns, maximize_filters
from convscope.vis.kernels import first_kernels, kernel_pictures
from convscope.vis.layer_selection import select_with_maps

MARGIN = 5  # pixels between patterns, as in the book
KERNEL_SIDE = 48  # maximum of a kernel's longer side in pixels
_KEY = "filters.layers"


class FiltersView(View[FiltersConfig]):
    """Draws the kernels of the first convolution and the patterns of chosen layers."""

    def __init__(self, run: Run, settings: FiltersConfig) -> None:
        """Check the layers, and match them in all models."""
        super().__init__(run, settings)
        models = run.models
        self.layers = select_with_maps(models.first.layers, settings.layers, _KEY)
        self._matches = models.counterparts(self.layers, _KEY)
        self.first = first_kernels(models.first.layers)
        if self.first:
            self._first_matches = models.counterparts([self.first], _KEY)

    def draw(self) -> Iterator[Artifact]:
        """Yield the kernels, then the patterns of each layer."""
        if self.first:
            yield self._kernels(self.first)
        paths = [
            self.file_name("file", layer=layer.path, index=self.index_of(layer)) for layer in self.layers
        ]
        counts = [shown_channels(self, layer.channels, self.settings.limit) for layer in self.layers]
        total = sum(counts) * self.settings.steps * len(self.run.models)
        with progress(total=total, desc="filters", unit="step") as bar:
            for index, (count, path) in enumerate(zip(counts, paths, strict=True)):
                layer = self.layers[index]
                bar.set_description(f"filters of {layer.path}")
                matches = [layers[index] for layers in self._matches]
                yield self._sheet(path, layer, self._ascend(matches, count, bar.update))

    def _ascend(
        self, matches: Sequence[Layer], count: int, on_step: Callable[[int], object]
    ) -> list[Patterns]:
        """Return the patterns of the first filters of a layer in each model, from the same noise."""
        settings = self.settings
        return [
            maximize_filters(
                state.bundle.model,
                layer,
                range(count),
                preprocessing=state.bundle.contract.preprocessing,
                size=min(settings.size, *state.bundle.contract.input_size),
                steps=settings.steps,
                seed=self.run.config.seed,
                on_step=on_step,
            )
            for state, layer in zip(self.run.models, matches, strict=True)
        ]

    def _sheet(self, path: str, layer: Layer, patterns: list[Patterns]) -> Artifact:
        several = len(patterns) > 1
        count, size = patterns[0].pictures.shape[:2]
        steps = self.settings.steps
        before = [_rounded(of_model.before) for of_model in patterns]
        after = [_rounded(of_model.after) for of_model in patterns]
        about = {
            "layer": layer.path,
            "channels": [0, count - 1],
            "value_range": [0, 255],
            "normalize": "none: the pixels that the model was shown",
            "mean_response_before": before if several else before[0],
            "mean_response_after": after if several else after[0],
            "steps": steps,
        }
        tiles = [Tiles(of_model.pictures, of_model.after <= 0, np.arange(count)) for of_model in patterns]
        caption = f"{count} of {layer.channels} filters, {size}×{size}, {steps} steps"
        if several:
            caption += " from the same noise"
            strip = Strip(tiles, self.run.models.titles, layer.path, caption, None)
            return strip_picture(self, path, strip, None, about)
        (single,) = tiles
        if single.silent.any():
            caption += f"; hatched: {int(single.silent.sum())} without a response after {steps} steps"
        sheet = mosaic.sheet(single, layer.path, caption, layout=mosaic.Layout(gap=MARGIN))
        return self.picture(path, sheet, title=layer.path, caption=caption, about=about)

    def _kernels(self, layer: Layer) -> Artifact:
        """Return the kernels: with one model each on its own scale, with several all on one scale."""
        models = self.run.models
        several = len(models) > 1
        count = shown_channels(self, layer.channels)
        weights = [
            np.asarray(match.keras_layer.kernel)[..., :count].copy()
            for _, (match,) in zip(models, self._first_matches, strict=True)
        ]
        end = max(float(np.abs(kernels).max()) for kernels in weights) if several else None
        tiles, largest = [], []
        for kernels, state in zip(weights, models[:], strict=True):
            order = state.bundle.contract.preprocessing.order
            pictures, largest_of_model = kernel_pictures(kernels, order=order, end=end)
            factor = max(1, KERNEL_SIDE // max(pictures.shape[1:3]))
            pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
            tiles.append(Tiles(pictures, largest_of_model == 0, np.arange(count)))
            largest.append(_rounded(largest_of_model))
        height, width = weights[0].shape[:2]
        title = f"kernels of {layer.path}"
        about = {"layer": layer.path, "channels": [0, count - 1]}
        path = self.reserve(f"filters/kernels_{names.file_name(layer.path)}.png", title)
        if end is not None:
            caption = (
                f"{count} of {layer.channels} kernels, {height}×{width}, all on one scale, grey is 0, "
                f"the ends are ±{end:.3g}"
            )
            about |= {
                "value_range": [-end, end],
                "largest_weight": largest,
                "normalize": "largest absolute weight of all models",
            }
            return strip_picture(self, path, Strip(tiles, models.titles, title, caption, None), None, about)
        caption = (
            f"{count} kernels, {height}×{width}, each on its own scale, grey is 0; hatched: all weights are 0"
        )
        about |= {
            "value_range": [float(weights[0].min()), float(weights[0].max())],
            "largest_weight": largest[0],
            "normalize": "own largest absolute weight",
        }
        return self.picture(
            path, mosaic.sheet(tiles[0], title, caption), title=title, caption=caption, about=about
        )


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
