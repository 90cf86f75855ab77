"""The pictures of one layer: every channel on a sheet, each on its own on demand, units as bars."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope.app.visualize.activation_summary import Summary
from convscope.app.visualize.file_names import FileNames
from convscope.config.schema.activations import ActivationsConfig, Normalize, Order, Statistics
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.render import figure, mosaic
from convscope.render.artifact import View, view_of_chart, write_view
from convscope.render.levels import Levels, from_zero, of_channels, on_one_scale
from convscope.vis.channel_statistics import ChannelStatistics
from convscope.vis.extractor import BEFORE

MOST_BARS = 40


class LayerPictures:
    """Draws layers into the run directory and counts what they put out; several threads may use it.

    `statistics` are those of many pictures by the layer's path, if they were asked for.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        shown: Sequence[Layer],
        config: ActivationsConfig,
        *,
        directory: Path,
        file_names: FileNames,
    ):
        """Find the places of the layers that are shown, which their files are named by."""
        self.bundle, self.config, self.directory, self.file_names = bundle, config, directory, file_names
        self.statistics: dict[str, ChannelStatistics] = {}
        self.summary = Summary()
        self._digits = max(2, len(str(len(bundle.layers) - 1)))
        self._layout = _layout(config.canvas, config.max_tile, config.columns)
        self._places = {layer.path: place for place, layer in enumerate(shown)}

    def draw(self, key: str, layer: Layer, maps: np.ndarray, provenance: dict[str, str]) -> Iterator[View]:
        """Write the picture of a layer, then those of its channels; yields each view as it is written.

        Args:
            key: the photograph's folder in the run.
            layer: one of those that are shown.
            maps: what it puts out, float (height, width, channels) or (units,).
            provenance: which photograph it is.
        """
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
            if path.endswith(".jpg"):  # a chart is no photograph
                path = self.file_names.take(f"{path[:-4]}.png", f"bars of {layer.path}")
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
        tiles = mosaic.map_tiles(levels, order=order, layout=self._layout, dead=dead)
        about |= {"color_map": self.config.color_map, "silent": silent, "normalize": levels.meaning}
        if dead is not None:
            about["dead"] = np.flatnonzero(dead).tolist()
        if self.config.order is Order.mean:
            about["order"] = order.tolist()
        yield write_view(
            self.directory,
            path,
            mosaic.sheet(
                tiles, layer.path, caption, mosaic.Scale(self.config.color_map, levels.labels), self._layout
            ),
            title=layer.path,
            caption=caption,
            provenance=about,
        )
        if self.config.channels:
            yield from self._channels(fields, layer, maps, levels, about)

    def _fields(self, key: str, layer: Layer) -> dict[str, str]:
        """What the names of a layer's pictures may hold; `place` and `number` are among those drawn."""
        place, last = self._places[layer.path], len(self._places)
        return {
            "photograph": key,
            "layer": layer.path,
            "index": f"{layer.index:0{self._digits}d}",
            "place": f"{place:0{len(str(last - 1))}d}",
            "number": f"{place + 1:0{max(2, len(str(last)))}d}",
        }

    def _levels(self, layer: Layer, maps: np.ndarray) -> Levels:
        """On the scale that is asked for."""
        normalize = self.config.normalize
        if normalize is Normalize.range:
            return on_one_scale(maps, *self.config.range)
        if normalize is Normalize.dataset:
            seen = self.statistics[layer.path]
            return from_zero(maps, seen.high, f"its 99.5th percentile on {seen.pictures:,} pictures")
        if normalize is Normalize.layer:
            return on_one_scale(maps, float(maps.min()), float(maps.max()))
        return of_channels(maps)

    def _channels(
        self, fields: dict[str, str], layer: Layer, maps: np.ndarray, levels: Levels, about: dict
    ) -> Iterator[View]:
        """A picture a channel, with what it is written on it."""
        if layer.path.endswith(BEFORE):
            fields |= {key: f"{fields[key]}_before" for key in ("index", "place", "number")}
        layout = _layout(self.config.channel_canvas)
        digits = max(3, len(str(len(levels.values) - 1)))
        size = "×".join(map(str, levels.values.shape[1:]))
        about = {key: value for key, value in about.items() if key not in ("order", "dead")}
        for channel, values in enumerate(levels.values):
            own = maps[..., channel]
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
                provenance={
                    **about,
                    "channels": [channel, channel],
                    "value_range": [float(own.min()), float(own.max())],
                    "silent": int(levels.silent[channel]),
                },
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
