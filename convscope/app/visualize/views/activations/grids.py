"""Feature maps of one model: grids of all channels, pictures of single channels, bars of units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.views.activations.layer_summary import summary
from convscope.config.schema.view_config import Normalize
from convscope.config.schema.views.activations import ActivationsConfig, Order, Statistics
from convscope.graph import Layer
from convscope.render import figure, mosaic
from convscope.render.artifact import Artifact, Role
from convscope.render.levels import (
    DIVERGING,
    Levels,
    around_zero,
    from_zero,
    on_one_scale,
    per_channel,
    silent_channels,
)
from convscope.vis.channel_statistics import ChannelStatistics
from convscope.vis.extractor import BEFORE
from convscope.vis.layer_counts import LayerCounts

if TYPE_CHECKING:
    from convscope.app.visualize.views.activations.drawing import ActivationsView

MAX_BARS = 40


@dataclass
class Grids:
    """The layout of one model. Its method `draw` is thread-safe.

    `statistics` has the statistics of the reference images by layer path, if the settings need them.
    """

    view: "ActivationsView"
    statistics: dict[str, ChannelStatistics] = field(default_factory=dict)
    counts: LayerCounts = field(default_factory=LayerCounts)

    def draw(self, photograph: Photograph, layer: Layer, maps: Sequence[np.ndarray]) -> list[Artifact]:
        """Return the grid or the bars of a layer, then its single channels if wanted; see `MapLayout`."""
        (values,) = maps
        about = {
            "layer": layer.path,
            "channels": [0, values.shape[-1] - 1],
            "value_range": [float(values.min()), float(values.max())],
        }
        if values.ndim == 1:
            return [self._bars(photograph, layer, values, about)]
        if not self.view.has_grids(photograph):
            silent = silent_channels(np.moveaxis(values, -1, 0).astype(np.float64))
            self._count(photograph, layer, values, silent)
            return []
        levels = self._levels(layer, values)
        grid = self._grid(photograph, layer, values, levels, about)
        if not self.view.settings.channels:
            return [grid]
        return [grid, *self._channels(photograph, layer, values, levels)]

    def finish(self) -> Iterator[Artifact]:
        """Yield table and charts of all layers."""
        return summary(self.view, self.counts, self.statistics)

    def _grid(
        self, photograph: Photograph, layer: Layer, maps: np.ndarray, levels: Levels, about: dict[str, Any]
    ) -> Artifact:
        settings = self.view.settings
        silent = int(levels.silent.sum())
        dead = self._count(photograph, layer, maps, levels.silent)
        order = _order(maps, settings.order)
        caption = f"{layer.kind}, {'×'.join(map(str, maps.shape))}, {levels.meaning}"
        if settings.order is Order.mean:
            caption += "; sorted by mean, highest first"
            about = about | {"order": order.tolist()}
        if silent:
            caption += f"; hatched: {silent} silent on this photograph"
        if dead is not None:
            about = about | {"dead": np.flatnonzero(dead).tolist()}
            if dead.any():
                images = self.statistics[layer.path].pictures
                caption += f"; framed: {int(dead.sum())} dead on {images:,} images"
        layout = _layout(settings.canvas, settings.max_tile, settings.columns)
        tiles = mosaic.map_tiles(levels, order=order, layout=layout, dead=dead)
        color_map = self._color_map(levels)
        scale = mosaic.Scale(color_map, levels.labels)
        return self.view.picture(
            self.view.file_name("file", **self.view.placeholders(photograph, layer)),
            mosaic.sheet(tiles, layer.path, caption, scale, layout),
            title=layer.path,
            caption=caption,
            photograph=photograph,
            about=about | {"color_map": color_map, "silent": silent, "normalize": levels.meaning},
        )

    def _count(
        self, photograph: Photograph, layer: Layer, maps: np.ndarray, silent: np.ndarray
    ) -> np.ndarray | None:
        """Add a layer to the counts; return its dead channels, bool (channels,), if they are known."""
        counted = self.view.settings.statistics is Statistics.split and layer.path in self.statistics
        dead = self.statistics[layer.path].dead if counted else None
        self.counts.add(photograph.key, layer, maps, silent=int(silent.sum()), dead=dead)
        return dead

    def _levels(self, layer: Layer, maps: np.ndarray) -> Levels:
        """Return the maps on the scale of the option `normalize`."""
        settings = self.view.settings
        if settings.normalize is Normalize.range:
            return on_one_scale(maps, *settings.range)
        if settings.normalize is Normalize.dataset:
            statistics = self.statistics[layer.path]
            images = f"on {statistics.pictures:,} images"
            if statistics.signed:
                return around_zero(
                    maps, statistics.bound, f"the larger of its 0.5th and 99.5th percentile {images}"
                )
            return from_zero(maps, statistics.high, f"its 99.5th percentile {images}")
        if settings.normalize is Normalize.layer:
            return on_one_scale(maps, float(maps.min()), float(maps.max()))
        return per_channel(maps)

    def _color_map(self, levels: Levels) -> str:
        """Return the colour map: a diverging one for signed values, unless another one was chosen."""
        chosen = self.view.settings.color_map
        return DIVERGING if levels.diverging and chosen == ActivationsConfig().color_map else chosen

    def _channels(
        self, photograph: Photograph, layer: Layer, maps: np.ndarray, levels: Levels
    ) -> Iterator[Artifact]:
        """Yield a picture of each channel, with a line of text below it."""
        settings, fields = self.view.settings, self.view.placeholders(photograph, layer)
        if layer.path.endswith(BEFORE):
            fields |= {key: f"{fields[key]}_before" for key in ("index", "place", "number")}
        digits = max(3, len(str(len(levels.values) - 1)))
        size = "×".join(map(str, levels.values.shape[1:]))
        for channel, values in enumerate(levels.values):
            channel_maps, title = maps[..., channel], f"{layer.path}, channel {channel}"
            picture = mosaic.channel_picture(
                values,
                hatched=bool(levels.silent[channel]),
                caption=f"{title}, {size}",
                color_map=self._color_map(levels),
                layout=_layout(settings.channel_canvas),
            )
            yield self.view.picture(
                self.view.file_name("channel_file", **fields, channel=f"{channel:0{digits}d}"),
                picture,
                title=title,
                caption=f"{size}, {levels.meaning}",
                photograph=photograph,
                role=Role.file,
                about={
                    "layer": layer.path,
                    "channels": [channel, channel],
                    "value_range": [float(channel_maps.min()), float(channel_maps.max())],
                    "color_map": self._color_map(levels),
                    "silent": int(levels.silent[channel]),
                    "normalize": levels.meaning,
                },
            )

    def _bars(
        self, photograph: Photograph, layer: Layer, values: np.ndarray, about: dict[str, Any]
    ) -> Artifact:
        """Return a chart with a bar for each unit of a dense layer; the last layer has class names."""
        model = self.view.run.models.first
        classes = model.contract.class_names
        last = layer.output is model.layers[-1].output and len(values) == len(classes)
        shown = np.argsort(-values, kind="stable")[:MAX_BARS] if last else np.arange(len(values))
        labels = [classes[index] for index in shown] if last else None
        caption = f"{layer.kind}, {len(values)} units"
        if len(shown) < len(values):
            caption += f", the {len(shown)} highest"

        def draw(path: Path) -> None:
            figure.bars(path, values[shown], layer.path, labels)

        path = self.view.file_name("file", **self.view.placeholders(photograph, layer))
        if path.endswith(".jpg"):  # a chart is no photograph
            path = self.view.reserve(f"{path[:-4]}.png", f"bars of {layer.path}")
        return self.view.chart(
            path, draw, title=layer.path, caption=caption, photograph=photograph, about=about
        )


def _layout(canvas: Sequence[int], max_tile: int = 96, columns: int | None = None) -> mosaic.Layout:
    """Return the layout for a canvas of [], [width] or [width, height] pixels."""
    width, height, *_ = (*canvas, None, None)
    return mosaic.Layout(max_tile, columns, width, height)


def _order(maps: np.ndarray, order: Order) -> np.ndarray:
    """Return the channels in the order in which they are shown."""
    if order is Order.mean:
        return np.argsort(-maps.mean(axis=(0, 1)), kind="stable")
    return np.arange(maps.shape[-1])
