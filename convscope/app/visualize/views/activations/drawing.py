"""Feature maps of one model or several, in batches of photographs and groups of layers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from convscope.app.visualize.models import MapsOfModels
from convscope.app.visualize.photographs import Photograph, encode
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views import animations
from convscope.app.visualize.views.activations.arrays import saving
from convscope.app.visualize.views.activations.grids import Grids
from convscope.app.visualize.views.activations.map_data import MapData
from convscope.app.visualize.views.activations.map_strips import MapStrips
from convscope.app.visualize.views.activations.space import Plan, plan, space_of
from convscope.config.schema.view_config import Normalize
from convscope.config.schema.views.activations import ActivationsConfig, Statistics
from convscope.data.pipeline import Batches
from convscope.errors import ConvscopeError
from convscope.graph import JoinedLayer, Layer
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render.artifact import Artifact
from convscope.vis.channel_statistics import FEWEST, ChannelStatistics, channel_statistics
from convscope.vis.extractor import OUTPUT, before_and_after, in_groups
from convscope.vis.layer_selection import convolutions_and_poolings, select, without_maps
from convscope.vis.model_difference import MapCorrelation

_WORTH_SAYING = 1.0  # megabytes; less is not announced
MAX_BYTES = 512 * 2**20  # maximum size of the feature maps in memory
REFERENCE_BATCH = 8  # reference images in one batch; the maps of all layers are in memory
_KEY = "activations.layers"

Maps = Mapping[str, np.ndarray]


class MapLayout(Protocol):
    """A way to draw the feature maps of a layer."""

    def draw(self, photograph: Photograph, layer: Layer, maps: Sequence[np.ndarray]) -> list[Artifact]:
        """Return the pictures of a layer, the main one first.

        Args:
            photograph: the photograph.
            layer: the layer in the first model.
            maps: the maps of each model, float32 (height, width, channels) or (units,).
        """

    def finish(self) -> Iterator[Artifact]:
        """Yield summaries of the layers that are drawn so far."""


class ActivationsView(View[ActivationsConfig]):
    """Draws the chosen layers for each photograph."""

    layout: MapLayout

    def __init__(self, run: Run, settings: ActivationsConfig) -> None:
        """Check the layers, match them in all models, and open the photographs."""
        super().__init__(run, settings)
        animations.check(settings.animate)
        several = len(run.models) > 1
        self.layers = (
            _layers_to_show(run.models.first.layers, settings.layers, units=not several)
            if settings.layers
            else _outputs_of(run.page_layers.joined, units=not several)
        )
        if settings.before_activation:
            self.layers = [part for layer in self.layers for part in before_and_after(layer)]
        self.map_data = MapData(self)
        self._positions = {layer.path: position for position, layer in enumerate(self.layers)}
        size = run.models.first.contract.input_size
        extracted = sorted([*self.layers, *self.map_data.layers], key=lambda layer: layer.index)
        groups = in_groups(extracted, pictures=settings.batch * len(run.models), size=size, limit=MAX_BYTES)
        self.groups = [
            MapsOfModels(run.models, group, _KEY, with_output=group is groups[-1]) for group in groups
        ]
        self.photographs = run.photographs
        self.plan = self._plan()
        if self._needs_statistics:
            _ = run.reference_images  # raises an error now if there are none
        self.layout = MapStrips(self) if several else Grids(self)

    def _plan(self) -> Plan:
        """Return what fits into `max_megabytes`, and note what does not; shards share the limit."""
        models, limit = self.run.models, self.settings.max_megabytes
        size = models.first.contract.input_size
        shown = sorted({*self.layers, *self.map_data.layers}, key=lambda layer: layer.index)
        layers = [space_of(layer, size, self.settings.max_tile) for layer in shown if layer.has_maps]
        count = len(self.run.photograph_paths)
        planned = plan(layers, photographs=count, models=len(models), megabytes=limit)
        if self.settings.channels or self.settings.animate:  # pictures that the user asks for
            planned = replace(planned, grids=count)
        if planned.megabytes >= _WORTH_SAYING:
            print(f"feature maps: about {planned.megabytes:.0f} MB for {count} photograph(s)")
        if planned.channels is not None:
            self.run.note(
                f"the page has the maps of the {planned.channels} strongest channels of a layer at most: set "
                f"activations.max_megabytes above {limit:g} for all"
            )
        if planned.grids < count:
            which = f"the first {planned.grids}" if planned.grids else "none"
            self.run.note(
                f"grids of all channels for slides are drawn for {which} of {count} photographs: set "
                f"activations.max_megabytes above {limit:g} for more"
            )
        return planned

    def has_grids(self, photograph: Photograph) -> bool:
        """Return whether the grids of a photograph fit into `max_megabytes`."""
        position = self.photographs.index(photograph) * self.run.config.shards + self.run.config.shard
        return position < self.plan.grids

    @property
    def _needs_statistics(self) -> bool:
        return self.settings.statistics is Statistics.split or self.settings.normalize is Normalize.dataset

    def draw(self) -> Iterator[Artifact]:
        """Yield the pictures, photograph by photograph."""
        if isinstance(self.layout, Grids) and self._needs_statistics:
            self.layout.statistics = self._statistics()
        size = self.settings.batch
        with progress(total=len(self.photographs), desc="photographs", unit="photograph") as bar:
            for first in range(0, len(self.photographs), size):
                batch = self.photographs[first : first + size]
                yield from self._draw_batch(batch)
                bar.update(len(batch))

    def finish(self) -> Iterator[Artifact]:
        """Yield table and charts of all layers."""
        return self.layout.finish()

    def placeholders(self, photograph: Photograph, layer: Layer) -> dict[str, str]:
        """Return the values of the placeholders of a file name.

        `place` and `number` are the position among the drawn layers, from 0 and from 1.
        """
        position, count = self._positions[layer.path], len(self.layers)
        return {
            "photograph": photograph.key,
            "layer": layer.path,
            "index": self.index_of(layer),
            "place": f"{position:0{len(str(count - 1))}d}",
            "number": f"{position + 1:0{max(2, len(str(count)))}d}",
        }

    def _draw_batch(self, batch: Sequence[Photograph]) -> Iterator[Artifact]:
        """Yield the pictures of a batch: one forward pass for each model and each group of layers."""
        drawn: list[list[list[Artifact]]] = [[] for _ in batch]  # by photograph and layer
        thumbnails: list[dict[str, Any]] = [{} for _ in batch]
        with ExitStack() as files:
            save = [files.enter_context(self._saving(photograph)) for photograph in batch]
            for group in self.groups:
                outputs = list(group(lambda bundle: encode(batch, bundle)))
                for index, photograph in enumerate(batch):
                    maps = {
                        layer.path: [output[layer.path][index] for output in outputs]
                        for layer in group.layers
                    }
                    layers = [layer for layer in group.layers if layer.path in self._positions]
                    of_drawn = {layer.path: maps[layer.path] for layer in layers}
                    save[index]({path: of_models[0] for path, of_models in of_drawn.items()})
                    self._correlate(of_drawn)
                    pictures_of_layers = self._draw_layers(photograph, layers, of_drawn)
                    for layer in group.layers:
                        if layer.path in of_drawn:
                            pictures = next(pictures_of_layers)
                            yield from pictures
                            drawn[index].append([replace(picture, content=None) for picture in pictures])
                        yield from self.map_data.of_layer(photograph, layer, maps[layer.path])
                        thumbnails[index] |= self.map_data.thumbnail(layer, maps[layer.path][0])
                    for state, output in zip(self.run.models[:], outputs, strict=True):
                        if OUTPUT in output:
                            self.run.add_output(photograph, state.bundle, output[OUTPUT][index : index + 1])
                del outputs, maps  # before the next group is computed
        for index, photograph in enumerate(batch):
            if self.settings.save_arrays:
                about = {
                    "layers": [layer.path for layer in self.layers],
                    "type": str(self.settings.save_arrays),
                }
                yield self.file(self._arrays_path(photograph), None, photograph=photograph, about=about)
            yield from animations.of_layers(self, photograph, drawn[index])
            yield from self.map_data.of_photograph(photograph, thumbnails[index])

    def _arrays_path(self, photograph: Photograph) -> str:
        return f"activations/{photograph.key}/maps.npz"

    def _saving(self, photograph: Photograph) -> AbstractContextManager[Callable[[Maps], None]]:
        """Return a context with a function that saves maps, or that does nothing without `save_arrays`."""
        if self.settings.save_arrays is None:
            return nullcontext(lambda maps: None)
        path = self.run.output.path(self._arrays_path(photograph))
        return saving(path, str(self.settings.save_arrays))

    def _draw_layers(
        self, photograph: Photograph, layers: Sequence[Layer], maps: dict[str, list[np.ndarray]]
    ) -> Iterator[list[Artifact]]:
        """Yield the pictures of each layer in order; bars are drawn in this thread, for Matplotlib."""

        def draw(layer: Layer) -> list[Artifact]:
            return self.layout.draw(photograph, layer, maps[layer.path])

        pictures = in_threads(draw, [layer for layer in layers if not layer.has_units])
        for layer in layers:
            yield draw(layer) if layer.has_units else next(pictures)

    def _correlate(self, maps: dict[str, list[np.ndarray]]) -> None:
        """Add maps to the correlations of each pair of models; the view `comparison` shows them."""
        for path, of_models in maps.items():
            for one, other in combinations(range(len(of_models)), 2):
                correlation = self.run.correlations.setdefault((path, one, other), MapCorrelation())
                correlation.add(of_models[one], of_models[other])

    def _statistics(self) -> dict[str, ChannelStatistics]:
        """Return the statistics of the reference images by layer path."""
        bundle, images = self.run.models.first, self.run.reference_images
        batches = Batches(
            images,
            size=bundle.contract.input_size,
            preprocessing=bundle.contract.preprocessing,
            batch_size=REFERENCE_BATCH,
        )
        steps = progress(range(len(batches)), desc="statistics", unit="batch", leave=False)
        statistics = channel_statistics(
            bundle.model, bundle.layers, self.layers, (batches[step][0] for step in steps)
        )
        if self.settings.statistics is Statistics.split and len(images.paths) < FEWEST:
            print(
                f"note: {len(images.paths)} images are too few to find dead channels: expected at least "
                f"{FEWEST:,} in splits"
            )
        return statistics


def _outputs_of(joined: Sequence[JoinedLayer], *, units: bool) -> list[Layer]:
    """Return the outputs of all convolutions and poolings and, if `units` is true, all dense layers.

    The maps of a convolution are those after the normalization and the activation that follow it, as on the
    page; they also take half as many bytes as a picture.
    """
    firsts = [layer.members[0] for layer in joined]
    with_channels = {layer.index for layer in convolutions_and_poolings(firsts)}
    chosen = [
        first if first.has_units else layer.output
        for first, layer in zip(firsts, joined, strict=True)
        if first.index in with_channels or (units and first.has_units)
    ]
    return sorted(chosen, key=lambda layer: layer.index)


def _layers_to_show(layers: Sequence[Layer], patterns: Sequence[str], *, units: bool) -> list[Layer]:
    """Return the layers that match the patterns; dense layers are omitted unless `units` is true.

    Raises:
        ConvscopeError: a layer has neither feature maps nor, with `units`, units.
    """
    selected = select(layers, patterns, drawable=units)
    if not units:
        drawable = [layer for layer in selected if layer.has_maps]
        if not drawable:
            advice = "with compare, choose convolutions or poolings in activations.layers"
            raise without_maps(selected[0], advice)
        return drawable
    if not selected:
        raise ConvscopeError(
            f"activations.layers=[{','.join(patterns)}] selects no layer with feature maps or units: "
            "expected convolutions, poolings or dense layers"
        )
    for layer in selected:
        if not layer.has_maps and not layer.has_units:
            advice = "choose convolutions, poolings or dense layers in activations.layers"
            raise without_maps(layer, advice)
    return selected
