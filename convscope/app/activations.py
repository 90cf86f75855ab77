"""The activations view of stage 3: the feature maps of chosen layers, photograph by photograph."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope import images, names
from convscope.app.activation_summary import TABLE, Summary
from convscope.config import ActivationsConfig, Normalize, Order, Statistics
from convscope.data.pipeline import Batches, Examples
from convscope.errors import ConvscopeError
from convscope.files import write_bytes
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render import figure, mosaic
from convscope.render.animation import frames_of, gif
from convscope.render.levels import Levels, from_zero, on_one_scale, standardize
from convscope.render.view import DataFile, View, view_of_chart, write_view
from convscope.vis.activations import BEFORE, Extractor, before_and_after
from convscope.vis.layers import select, with_maps
from convscope.vis.statistics import FEWEST, ChannelStatistics, channel_statistics

MOST_BARS = 40
CHANNELS_FASTER = 10  # than layers, in an animation
LOOKED_AT = 8  # pictures in memory at once, with the maps of all layers


class ActivationDrawing:
    """Draws the layers that are asked for, of one photograph after the other, into the run directory.

    Layers are checked when it is made; it raises ConvscopeError then.
    """

    def __init__(
        self, bundle: ModelBundle, layers: Sequence[Layer], config: ActivationsConfig, directory: Path
    ):
        self.bundle, self.config, self.directory = bundle, config, directory
        self.shown = _layers_to_show(layers, config.layers)
        if config.before_activation:
            self.shown = [each for layer in self.shown for each in before_and_after(layer)]
        self.extract = Extractor(bundle.model, self.shown)
        self.digits = max(2, len(str(len(layers) - 1)))
        self.layers = layers
        self.statistics: dict[str, ChannelStatistics] = {}
        self.summary = Summary()
        self.tables: list[DataFile] = []
        self.photographs: dict[str, str] = {}  # the hash of each by its key
        self._drawn: dict[str, list[View]] = {}  # of the photograph in hand, by layer
        self._moving: list[View] = []

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

    def draw(self, key: str, inputs: np.ndarray, provenance: dict[str, str]) -> tuple[list[View], list[View]]:
        """Write the layers' pictures for one photograph; returns those of layers, and those of channels.

        Args:
            key: the photograph's folder in the run.
            inputs: the preprocessed photograph, float32 (1, height, width, channels).
            provenance: which photograph it is.

        Raises:
            ConvscopeError: a layer puts out values that are not finite, or float16 cannot hold them.
        """
        found = self.extract(inputs)
        self.photographs[key] = provenance.get("photograph_sha256", "")
        self._drawn, self._moving = {}, []
        if self.config.save_arrays:
            self._save(key, {path: values[0] for path, values in found.items()}, provenance)

        def draw(layer: Layer) -> None:
            self._drawn[layer.path] = list(self._of_layer(key, layer, found[layer.path][0], provenance))

        list(in_threads(draw, [layer for layer in self.shown if not layer.has_units]))
        for layer in self.shown:
            if layer.has_units:  # Matplotlib's, which one thread at a time may use
                draw(layer)
        if self.config.animate:
            for view in self._animations(key, provenance):
                self._moving.append(view)
        return self.drawn()

    def drawn(self) -> tuple[list[View], list[View]]:
        """What `draw` returns; after it was interrupted, what it had written until then."""
        ordered = [self._drawn[layer.path] for layer in self.shown if layer.path in self._drawn]
        of_channels = [view for views in ordered for view in views[1:]]
        return [views[0] for views in ordered], of_channels + self._moving

    def _animations(self, key: str, provenance: dict[str, str]) -> Iterator[View]:
        """The pictures of the layers one after the other, and those of each layer's channels."""
        about = {
            "view": "animation",
            "color_map": self.config.color_map,
            "model_sha256": self.bundle.sha256,
            **provenance,
        }
        rate = self.config.rate
        of_layers, _ = self.drawn()
        layers = {"layers": [view.title for view in of_layers]}
        yield self._animation(f"activations/{key}/layers.gif", of_layers, rate, about | layers)
        for first, *channels in [self._drawn[layer.path] for layer in self.shown]:
            if channels:
                path = first.path.removesuffix(".png") + ".gif"
                of_layer = ("layer", "channels", "value_range", "normalize")
                more = {name: first.provenance[name] for name in of_layer}
                yield self._animation(path, channels, CHANNELS_FASTER * rate, about | more)

    def _animation(self, path: str, views: list[View], rate: float, about: dict) -> View:
        frames = frames_of([images.load_png(self.directory / view.path) for view in views])
        rate = gif(self.directory / path, frames, rate)
        caption = f"{len(views)} pictures, {rate:.3g} a second"
        return View(path, path.rpartition("/")[2], caption, frames.shape[1:3], about | {"rate": rate})

    def finish(self) -> list[View]:
        """Write what was seen of all photographs; returns the charts."""
        about = {"model_sha256": self.bundle.sha256, "photographs": self.photographs}
        charts = self.summary.write(self.directory, self.statistics, about)
        self.tables += [DataFile(TABLE, {"view": "summary", **about})] * bool(charts)
        return charts

    def _of_layer(
        self, key: str, layer: Layer, maps: np.ndarray, provenance: dict[str, str]
    ) -> Iterator[View]:
        stem = f"{layer.index:0{self.digits}d}"
        path = f"activations/{key}/{stem}_{names.file_name(layer.path)}.png"
        about: dict[str, Any] = {
            "view": "activations",
            "layer": layer.path,
            "channels": [0, maps.shape[-1] - 1],
            "value_range": [float(maps.min()), float(maps.max())],
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
        about |= {"color_map": self.config.color_map, "silent": silent, "normalize": levels.meaning}
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

    def _save(self, key: str, found: dict[str, np.ndarray], provenance: dict[str, str]) -> None:
        kind = np.dtype(str(self.config.save_arrays))
        limit = np.finfo(kind).max
        for path, values in found.items():
            if np.abs(values).max(initial=0) > limit:
                raise ConvscopeError(
                    f"layer {path} has values up to {np.abs(values).max():.3g}, float16 holds {limit:.0f}: "
                    "say activations.save_arrays=float32"
                )
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {path: values.astype(kind) for path, values in found.items()}
        np.savez_compressed(buffer, **arrays)
        about = {
            "view": "arrays",
            "layers": list(found),
            "type": kind.name,
            "model_sha256": self.bundle.sha256,
            **provenance,
        }
        file = DataFile(f"activations/{key}/maps.npz", about)
        write_bytes(self.directory / file.path, buffer.getvalue())
        self.tables.append(file)


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
