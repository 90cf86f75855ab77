"""The activations view of stage 3: the feature maps of chosen layers, photograph by photograph."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from convscope.app import animations, map_arrays
from convscope.app.activation_summary import TABLE, Summary
from convscope.app.file_names import FileNames
from convscope.config import ActivationsConfig, Normalize, Order, Statistics
from convscope.data.pipeline import Batches, Examples
from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render import figure, mosaic
from convscope.render.explorer import PhotographViews
from convscope.render.levels import Levels, from_zero, on_one_scale, standardize
from convscope.render.view import DataFile, View, view_of_chart, write_view
from convscope.vis.activations import BEFORE, Extractor, before_and_after, in_groups
from convscope.vis.layers import select, with_maps
from convscope.vis.statistics import FEWEST, ChannelStatistics, channel_statistics

MOST_BARS = 40
MOST_BYTES = 512 * 2**20  # of maps in memory at once
Save = Callable[[Mapping[str, np.ndarray]], None]
LOOKED_AT = 8  # pictures in memory at once, with the maps of all layers


class ActivationDrawing:
    """Draws the layers that are asked for, batch by batch of photographs, into the run directory.

    Layers are checked when it is made; it raises ConvscopeError then.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        layers: Sequence[Layer],
        config: ActivationsConfig,
        *,
        directory: Path,
        file_names: FileNames,
    ):
        self.bundle, self.config, self.directory, self.file_names = bundle, config, directory, file_names
        animations.check(config.animate)
        self.shown = _layers_to_show(layers, config.layers)
        if config.before_activation:
            self.shown = [each for layer in self.shown for each in before_and_after(layer)]
        size = bundle.contract.input_size
        groups = in_groups(self.shown, pictures=config.batch, size=size, limit=MOST_BYTES)
        self.extractors = [Extractor(bundle.model, group) for group in groups]
        self.digits = max(2, len(str(len(layers) - 1)))
        self.layout = _layout(config.canvas, config.max_tile, config.columns)
        self.places = {layer.path: place for place, layer in enumerate(self.shown)}
        self.layers = layers
        self.statistics: dict[str, ChannelStatistics] = {}
        self.summary = Summary()
        self.tables: list[DataFile] = []
        self.photographs: dict[str, str] = {}  # the hash of each by its key

    @property
    def needs_statistics(self) -> bool:
        """Whether `look_over` must come first."""
        split = self.config.statistics is Statistics.split
        return split or self.config.normalize is Normalize.dataset

    def look_over(self, examples: Examples) -> None:
        """Find over many pictures which channels are dead, and how strong strong responses are."""
        contract = self.bundle.contract
        batches = Batches(
            examples,
            size=contract.input_size,
            preprocessing=contract.preprocessing,
            batch_size=LOOKED_AT,
        )
        steps = progress(range(len(batches)), desc="statistics", unit="batch", leave=False)
        self.statistics = channel_statistics(
            self.bundle.model, self.layers, self.shown, (batches[step][0] for step in steps)
        )
        if self.config.statistics is Statistics.split and len(examples.paths) < FEWEST:
            print(
                f"note: no channel is called dead over {len(examples.paths)} pictures: expected "
                f"{FEWEST:,} or more in splits"
            )

    def draw(
        self, photographs: Sequence[PhotographViews], inputs: np.ndarray, provenance: Sequence[dict[str, str]]
    ) -> Iterator[None]:
        """Write the layers' pictures for a batch of photographs and put them into `photographs`.

        A forward pass each for as many layers as memory allows. Yields when a photograph is complete.

        Args:
            photographs: `key` is their folder in the run.
            inputs: the preprocessed photographs, float32 (batch, height, width, channels).
            provenance: which photograph it is, of each.

        Raises:
            ConvscopeError: a layer puts out values that are not finite, or float16 cannot hold them.
        """
        for each, about in zip(photographs, provenance, strict=True):
            self.photographs[each.key] = about["photograph_sha256"]
        drawn: list[list[list[View]]] = [[] for _ in photographs]  # of each photograph, of each layer
        with ExitStack() as files:
            saves = [
                files.enter_context(self._saving(about, each.key))
                for each, about in zip(photographs, provenance, strict=True)
            ]
            for extract in self.extractors:
                found = extract(inputs)
                for place, each in enumerate(photographs):
                    maps = {path: values[place] for path, values in found.items()}
                    saves[place](maps)
                    done: dict[str, list[View]] = {}
                    try:
                        self._of_layers(each.key, extract.layers, maps, provenance[place], done)
                    finally:  # after Ctrl-C, what was written until then
                        ordered = [done[layer.path] for layer in extract.layers if layer.path in done]
                        drawn[place] += ordered
                        each.activations += [views[0] for views in ordered]
                        each.channels += [view for views in ordered for view in views[1:]]
                    if extract is self.extractors[-1]:
                        each.animations += animations.of_activations(
                            self.directory, each.key, drawn[place], self.config
                        )
                        yield
                del found, maps  # before there are others

    def _of_layers(
        self,
        key: str,
        layers: Sequence[Layer],
        maps: dict[str, np.ndarray],
        provenance: dict[str, str],
        done: dict[str, list[View]],
    ) -> None:
        """Put into `done`, for each layer, its picture, followed by those of its channels."""

        def draw(layer: Layer) -> None:
            done[layer.path] = list(self._of_layer(key, layer, maps[layer.path], provenance))

        list(in_threads(draw, [layer for layer in layers if not layer.has_units]))
        for layer in layers:
            if layer.has_units:  # Matplotlib's, which one thread at a time may use
                draw(layer)

    @contextmanager
    def _saving(
        self, photograph: dict[str, str], key: str
    ) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
        """What saves maps of a photograph by layer, if that is asked for."""
        kind = self.config.save_arrays
        if kind is None:
            yield lambda maps: None
            return
        path = f"activations/{key}/maps.npz"
        with map_arrays.saving(self.directory / path, str(kind)) as save:
            yield save
        layers = [layer.path for layer in self.shown]
        about = {"view": "arrays", "layers": layers, "type": str(kind), "model_sha256": self.bundle.sha256}
        self.tables.append(DataFile(path, {**about, **photograph}))

    def finish(self) -> list[View]:
        """Write what was seen of all photographs; returns the charts."""
        about = {"model_sha256": self.bundle.sha256, "photographs": self.photographs}
        charts = self.summary.write(self.directory, self.statistics, about)
        self.tables += [DataFile(TABLE, {"view": "summary", **about})] * bool(charts)
        return charts

    def _of_layer(
        self, key: str, layer: Layer, maps: np.ndarray, provenance: dict[str, str]
    ) -> Iterator[View]:
        fields = self._fields(key, layer)
        path = self.file_names("grid", **fields)
        about: dict[str, Any] = {
            "view": "activations",
            "layer": layer.path,
            "channels": [0, maps.shape[-1] - 1],
            "value_range": [float(maps.min()), float(maps.max())],
            "model_sha256": self.bundle.sha256,
            **provenance,
        }
        if maps.ndim == 1:
            yield self._bars(f"{path[:-4]}.png", layer, maps, about)
            return
        levels = self._levels(layer, maps)
        counted = self.config.statistics is Statistics.split and layer.path in self.statistics
        dead = self.statistics[layer.path].dead if counted else None
        order = _order(maps, self.config.order)
        silent = int(levels.silent.sum())
        self.summary.note(key, layer, maps, silent, dead)
        caption = f"{layer.kind}, {'×'.join(map(str, maps.shape))}, {levels.meaning}"
        if self.config.order is Order.mean:
            caption += "; the highest mean first"
        if silent:
            caption += f"; hatched: {silent} silent on this photograph"
        if dead is not None and dead.any():
            pictures = self.statistics[layer.path].pictures
            caption += f"; framed: {int(dead.sum())} dead on {pictures:,} pictures"
        tiles = mosaic.map_tiles(levels, order=order, layout=self.layout, dead=dead)
        about |= {"color_map": self.config.color_map, "silent": silent, "normalize": levels.meaning}
        if dead is not None:
            about["dead"] = np.flatnonzero(dead).tolist()
        if self.config.order is Order.mean:
            about["order"] = order.tolist()
        yield write_view(
            self.directory,
            path,
            mosaic.sheet(
                tiles, layer.path, caption, mosaic.Scale(self.config.color_map, levels.labels), self.layout
            ),
            title=layer.path,
            caption=caption,
            provenance=about,
        )
        if self.config.channels:
            yield from self._channels(fields, layer, levels, about)

    def _fields(self, key: str, layer: Layer) -> dict[str, str]:
        """What the names of a layer's pictures may hold; `place` and `number` are among those drawn."""
        place, last = self.places[layer.path], len(self.places)
        return {
            "photograph": key,
            "layer": layer.path,
            "index": f"{layer.index:0{self.digits}d}",
            "place": f"{place:0{len(str(last - 1))}d}",
            "number": f"{place + 1:0{max(2, len(str(last)))}d}",
        }

    def _levels(self, layer: Layer, maps: np.ndarray) -> Levels:
        """On the scale that is asked for; a single place has no spread of its own, so takes the layer's."""
        normalize = self.config.normalize
        if normalize is Normalize.range:
            return on_one_scale(maps, *self.config.range)
        if normalize is Normalize.dataset:
            seen = self.statistics[layer.path]
            return from_zero(maps, seen.high, f"its 99.5th percentile on {seen.pictures:,} pictures")
        if normalize is Normalize.layer or maps.shape[:2] == (1, 1):
            return on_one_scale(maps, float(maps.min()), float(maps.max()))
        return standardize(maps)

    def _channels(self, fields: dict[str, str], layer: Layer, levels: Levels, about: dict) -> Iterator[View]:
        """A picture a channel, with what it is written on it."""
        if layer.path.endswith(BEFORE):
            fields |= {key: f"{fields[key]}_before" for key in ("index", "place", "number")}
        layout = _layout(self.config.channel_canvas)
        digits = max(3, len(str(len(levels.values) - 1)))
        size = "×".join(map(str, levels.values.shape[1:]))
        for channel, values in enumerate(levels.values):
            yield write_view(
                self.directory,
                self.file_names("channel", **fields, channel=f"{channel:0{digits}d}"),
                mosaic.channel_picture(
                    values,
                    hatched=bool(levels.silent[channel]),
                    caption=f"{layer.path}, channel {channel}, {size}",
                    color_map=self.config.color_map,
                    layout=layout,
                ),
                title=f"{layer.path}, channel {channel}",
                caption=f"{size}, {levels.meaning}",
                provenance=about | {"channels": [channel, channel]},
            )

    def _bars(self, path: str, layer: Layer, values: np.ndarray, about: dict) -> View:
        """A dense layer: a bar a unit, the classes' names on the last one."""
        classes = self.bundle.contract.class_names
        last = layer.output is self.bundle.graph.layers[-1].output and len(values) == len(classes)
        shown = np.argsort(-values, kind="stable")[:MOST_BARS] if last else np.arange(len(values))
        labels = [classes[index] for index in shown] if last else None
        figure.bars(self.directory / path, values[shown], layer.path, labels)
        caption = f"{layer.kind}, {len(values)} units"
        if len(shown) < len(values):
            caption += f", the {len(shown)} highest"
        return view_of_chart(self.directory, path, title=layer.path, caption=caption, provenance=about)


def _layout(canvas: Sequence[int], max_tile: int = 96, columns: int | None = None) -> mosaic.Layout:
    """Sheets of the size that is asked for: [], [width], or [width, height]."""
    width, height, *_ = (*canvas, None, None)
    return mosaic.Layout(max_tile, columns, width, height)


def _order(maps: np.ndarray, order: Order) -> np.ndarray:
    """The channels in the order in which they are shown."""
    if order is Order.mean:
        return np.argsort(-maps.mean(axis=(0, 1)), kind="stable")
    return np.arange(maps.shape[-1])


def _layers_to_show(layers: Sequence[Layer], patterns: Sequence[str]) -> list[Layer]:
    """The layers that are drawn: those of the patterns, or every convolution, pooling and dense layer."""
    if not patterns:
        chosen = {layer.index for layer in with_maps(layers)}
        return [layer for layer in layers if layer.index in chosen or layer.has_units]
    result = select(layers, patterns, drawable=True)
    for layer in result:
        if not layer.has_maps and not layer.has_units:
            raise ConvscopeError(
                f"layer {layer.path} ({layer.kind}) has no feature maps, its output is {layer.shape}: "
                "choose convolutions, poolings or dense layers in activations.layers"
            )
    return result
