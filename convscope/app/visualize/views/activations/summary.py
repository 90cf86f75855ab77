"""Counts over all photographs of a run: a table by photograph and layer, and charts by layer."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convscope.app.visualize.photographs import Photograph
from convscope.graph import Layer
from convscope.render import figure
from convscope.render.artifact import Artifact
from convscope.vis.channel_statistics import BARS, ChannelStatistics
from convscope.vis.extractor import BEFORE

if TYPE_CHECKING:
    from convscope.app.visualize.views.activations.view import Activations

TABLE, BY_DEPTH, DISTRIBUTIONS = (
    f"activations/{name}" for name in ("summary.csv", "summary.png", "distributions.png")
)
COLUMNS = (
    "photograph", "index", "layer", "type", "channels", "silent", "silent_share", "zeros_share", "dead",
    "dead_share", "lowest", "mean", "highest", "split_pictures", "split_zeros_share",
)  # fmt: skip
SAMPLE = 4096  # values of a layer and photograph in its histogram
MAX_PHOTOGRAPHS = 64  # in the histograms

Row = dict[str, str | int | float]


class LayerSummary:
    """Collects a row for each photograph and layer, and a sample of the values of each layer."""

    def __init__(self, view: "Activations") -> None:
        """Begin empty."""
        self.view = view
        self.rows: list[Row] = []
        self.samples: dict[str, list[np.ndarray]] = {}
        self._photographs: dict[str, str] = {}  # hashes by key, in the order of the photographs

    def note(
        self, photograph: Photograph, layer: Layer, maps: np.ndarray, *, silent: int, dead: np.ndarray | None
    ) -> None:
        """Count the maps of a layer for a photograph, float (height, width, channels)."""
        self._photographs.setdefault(photograph.key, photograph.sha256)
        channels = maps.shape[-1]
        zeros = float((maps == 0).mean())
        lowest, mean, highest = (float(value) for value in (maps.min(), maps.mean(), maps.max()))
        shares = (round(silent / channels, 6), round(zeros, 6))
        of_dead = ("", "") if dead is None else (int(dead.sum()), round(float(dead.mean()), 6))
        about = (photograph.key, layer.index, layer.path, layer.kind, channels, silent)
        numbers = (*about, *shares, *of_dead, lowest, mean, highest, "", "")
        self.rows.append(dict(zip(COLUMNS, numbers, strict=True)))
        kept = self.samples.setdefault(layer.path, [])
        if len(kept) < MAX_PHOTOGRAPHS:
            draw = np.random.default_rng(layer.index)
            kept.append(maps.ravel()[draw.integers(0, maps.size, min(SAMPLE, maps.size))])

    def artifacts(self, statistics: dict[str, ChannelStatistics]) -> Iterator[Artifact]:
        """Yield table and charts, if there are rows; `statistics` are those of the reference images."""
        if not self.rows:
            return
        self._sort()
        for row in self.rows:
            seen = statistics.get(str(row["layer"]))
            if seen:
                row |= {"split_pictures": seen.pictures, "split_zeros_share": round(seen.zeros, 6)}
        layers = self._rows_by_layer()
        about = {"layers": list(layers), "photographs": self._photographs}
        rows = [[row[column] for column in COLUMNS] for row in self.rows]
        yield self.view.table(TABLE, COLUMNS, rows, about={"photographs": self._photographs})
        yield self._by_depth(layers, statistics, about)
        yield self._distributions(layers, statistics, about)

    def _sort(self) -> None:
        """Sort the rows by photograph and layer: threads add them in any order."""
        order = {photograph.key: index for index, photograph in enumerate(self.view.photographs)}
        self.rows.sort(
            key=lambda row: (
                order[str(row["photograph"])], row["index"], not str(row["layer"]).endswith(BEFORE)
            )
        )  # fmt: skip

    def _rows_by_layer(self) -> dict[str, list[Row]]:
        layers: dict[str, list[Row]] = {}
        for row in self.rows:
            layers.setdefault(str(row["layer"]), []).append(row)
        return layers

    def _by_depth(
        self, layers: dict[str, list[Row]], statistics: dict[str, ChannelStatistics], about: dict
    ) -> Artifact:
        shares = {"silent channels": _means(layers, "silent_share"), "zeros": _means(layers, "zeros_share")}
        caption = (
            "share of channels with the same value at every position of a photograph, and share of zeros"
        )
        dead = [rows[0]["dead_share"] for rows in layers.values()]
        if any(share != "" for share in dead):
            shares["dead channels"] = [math.nan if share == "" else float(share) for share in dead]
            images = next(iter(statistics.values())).pictures
            caption += f"; share of channels that are zero after their activation on {images:,} images"

        rectified = [min(float(row["lowest"]) for row in rows) >= 0 for rows in layers.values()]

        def draw(path: Path) -> None:
            figure.shares_by_depth(path, list(layers), shares, rectified=rectified)

        return self.view.chart(BY_DEPTH, draw, title="by depth", caption=caption, about=about)

    def _distributions(
        self, layers: dict[str, list[Row]], statistics: dict[str, ChannelStatistics], about: dict
    ) -> Artifact:
        """Return the histograms of the reference images or, without them, of the photographs."""
        paths = list(layers)
        caption = "histogram of the nonzero values; the share of zeros is beside the name of the layer"
        if statistics:
            histograms = [statistics[path].histogram for path in paths]
            zeros = [statistics[path].zeros for path in paths]
            images = statistics[paths[0]].pictures
            caption += f"; of the {images:,} images of splits"
            about = {**about, "pictures": images}
        else:
            histograms = [_histogram(np.concatenate(self.samples[path])) for path in paths]
            zeros = _means(layers, "zeros_share")
            caption += "; from a sample of the values for the photographs"

        def draw(path: Path) -> None:
            figure.distributions(path, paths, histograms, zeros)

        return self.view.chart(DISTRIBUTIONS, draw, title="distributions", caption=caption, about=about)


def _means(layers: dict[str, list[Row]], column: str) -> list[float]:
    return [float(np.mean([float(row[column]) for row in rows])) for rows in layers.values()]


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and edges of the nonzero values, from their 0.5th to their 99.5th percentile."""
    nonzero = values[values != 0]
    if not len(nonzero):
        return np.zeros(BARS), np.linspace(0, 1, BARS + 1)
    low, high = np.quantile(nonzero, [0.005, 0.995])
    return np.histogram(nonzero, BARS, (low, high if high > low else low + 1))
