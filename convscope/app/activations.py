"""The activations view of stage 3: the feature maps of chosen layers, photograph by photograph."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from convscope import images, names
from convscope.app import animations, map_arrays
from convscope.app.activation_summary import TABLE, Summary
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
from convscope.render.view import View, write_view
from convscope.vis.activations import BEFORE, Extractor, before_and_after, in_groups
from convscope.vis.layers import select, with_maps
from convscope.vis.statistics import FEWEST, ChannelStatistics, channel_statistics

MOST_BARS = 40
MOST_BYTES = 512 * 2**20  # of maps in memory at once
LOOKED_AT = 8  # pictures in memory at once, with the maps of all layers


class ActivationDrawing:
    """Draws the layers that are asked for, batch by batch of photographs, into the run directory.

    Layers are checked when it is made; it raises ConvscopeError then.
    """

    def __init__(
        self, bundle: ModelBundle, layers: Sequence[Layer], config: ActivationsConfig, directory: Path
    ):
        self.bundle, self.config, self.directory = bundle, config, directory
        animations.check(config.animate)
        self.shown = _layers_to_show(layers, config.layers)
        if config.before_activation:
            self.shown = [each for layer in self.shown for each in before_and_after(layer)]
        size = bundle.contract.input_size
        groups = in_groups(self.shown, pictures=config.batch, size=size, limit=MOST_BYTES)
        self.extractors = [Extractor(bundle.model, group) for group in groups]
        self.digits = max(2, len(str(len(layers) - 1)))
        self.layers = layers
        self.statistics: dict[str, ChannelStatistics] = {}
        self.summary = Summary()
        self.tables: list[str] = []  # files that are no pictures

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
        drawn: list[list[list[View]]] = [[] for _ in photographs]  # of each photograph, of each layer
        with ExitStack() as files:
            saves = [files.enter_context(self._saving(each.key)) for each in photographs]
            for extract in self.extractors:
                found = extract(inputs)
                for place, each in enumerate(photographs):
                    maps = {path: values[place] for path, values in found.items()}
                    saves[place](maps)
                    for views in self._of_layers(each.key, extract.layers, maps, provenance[place]):
                        drawn[place].append(views)
                        each.activations.append(views[0])
                        each.channels += views[1:]
                    if extract is self.extractors[-1]:
                        about = {"model_sha256": self.bundle.sha256, **provenance[place]}
                        each.animations += animations.of_activations(
                            self.directory, each.key, drawn[place], self.config, about
                        )
                        yield
                del found, maps  # before there are others

    def _of_layers(
        self, key: str, layers: Sequence[Layer], maps: dict[str, np.ndarray], provenance: dict[str, str]
    ) -> Iterator[list[View]]:
        """For each layer its picture, followed by those of its channels."""

        def draw(layer: Layer) -> list[View]:
            return list(self._of_layer(key, layer, maps[layer.path], provenance))

        grids = in_threads(draw, [layer for layer in layers if not layer.has_units])
        for layer in layers:
            yield draw(layer) if layer.has_units else next(grids)  # Matplotlib's by one thread at a time

    @contextmanager
    def _saving(self, key: str) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
        """What saves maps of a photograph by layer, if that is asked for."""
        if self.config.save_arrays is None:
            yield lambda maps: None
            return
        path = f"activations/{key}/maps.npz"
        with map_arrays.saving(self.directory / path, str(self.config.save_arrays)) as save:
            yield save
        self.tables.append(path)

    def finish(self) -> list[View]:
        """Write what was seen of all photographs; returns the charts."""
        charts = self.summary.write(self.directory, self.statistics)
        self.tables += [TABLE] * bool(charts)
        return charts

    def _of_layer(
        self, key: str, layer: Layer, maps: np.ndarray, provenance: dict[str, str]
    ) -> Iterator[View]:
        stem = f"{layer.index:0{self.digits}d}"
        path = f"activations/{key}/{stem}_{names.file_name(layer.path)}.png"
        about = {
            "view": "activations",
            "layer": layer.path,
            "channels": maps.shape[-1],
            "value_range": [float(maps.min()), float(maps.max())],
            "color_map": self.config.color_map,
            "model_sha256": self.bundle.sha256,
            **provenance,
        }
        if maps.ndim == 1:
            yield self._bars(path, layer, maps, about)
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
        tiles = mosaic.map_tiles(
            levels, order=order, max_tile=self.config.max_tile, color_map=self.config.color_map, dead=dead
        )
        about |= {"silent": silent, "normalize": levels.meaning}
        if dead is not None:
            about["dead"] = np.flatnonzero(dead).tolist()
        if self.config.order is Order.mean:
            about["order"] = order.tolist()
        yield write_view(
            self.directory,
            path,
            mosaic.sheet(tiles, layer.path, caption, mosaic.Scale(self.config.color_map, levels.labels)),
            title=layer.path,
            caption=caption,
            provenance=about,
        )
        if self.config.channels:
            stem += "_before" * layer.path.endswith(BEFORE)
            yield from self._channels(f"activations/{key}/channels/{stem}", layer, levels, about)

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

    def _channels(self, stem: str, layer: Layer, levels: Levels, about: dict) -> Iterator[View]:
        """A picture a channel, with what it is written on it."""
        digits = max(3, len(str(len(levels.values) - 1)))
        size = "×".join(map(str, levels.values.shape[1:]))
        for channel, values in enumerate(levels.values):
            yield write_view(
                self.directory,
                f"{stem}--{channel:0{digits}d}.png",
                mosaic.channel_picture(
                    values,
                    hatched=bool(levels.silent[channel]),
                    caption=f"{layer.path}, channel {channel}, {size}",
                    color_map=self.config.color_map,
                ),
                title=f"{layer.path}, channel {channel}",
                caption=f"{size}, {levels.meaning}",
                provenance=about | {"channel": channel},
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
        size = images.load_png(self.directory / path).shape[:2]
        return View(path, layer.path, caption, size, about)


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
