"""What the activations view saw of all photographs together: tables and charts by layer."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convscope.files import write_text
from convscope.graph import Layer
from convscope.render import figure
from convscope.render.artifact import View, view_of_chart
from convscope.vis.channel_statistics import BARS, ChannelStatistics
from convscope.vis.extractor import BEFORE

TABLE, BY_DEPTH, DISTRIBUTIONS = (
    f"activations/{name}" for name in ("summary.csv", "summary.png", "distributions.png")
)
COLUMNS = (
    "photograph", "index", "layer", "type", "channels", "silent", "silent_share", "zeros_share", "dead",
    "dead_share", "lowest", "mean", "highest", "split_pictures", "split_zeros_share",
)  # fmt: skip
SAMPLE = 4096  # values of a layer and photograph that its histogram is made of
MOST_PHOTOGRAPHS = 64  # that histograms are made of


class Summary:
    """Collects a row a photograph and layer, and a sample of the values of each layer."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str | int | float]] = []
        self.samples: dict[str, list[np.ndarray]] = {}

    def note(
        self, photograph: str, layer: Layer, maps: np.ndarray, silent: int, dead: np.ndarray | None
    ) -> None:
        """Count what a layer put out for a photograph: float (height, width, channels)."""
        channels = maps.shape[-1]
        zeros = float((maps == 0).mean())
        lowest, mean, highest = (float(each) for each in (maps.min(), maps.mean(), maps.max()))
        shares = (round(silent / channels, 6), round(zeros, 6))
        of_dead = ("", "") if dead is None else (int(dead.sum()), round(float(dead.mean()), 6))
        about = (photograph, layer.index, layer.path, layer.kind, channels, silent)
        numbers = (*about, *shares, *of_dead, lowest, mean, highest, "", "")
        self.rows.append(dict(zip(COLUMNS, numbers, strict=True)))
        kept = self.samples.setdefault(layer.path, [])
        if len(kept) < MOST_PHOTOGRAPHS:
            draw = np.random.default_rng(layer.index)
            kept.append(maps.ravel()[draw.integers(0, maps.size, min(SAMPLE, maps.size))])

    def write(
        self, directory: Path, statistics: dict[str, ChannelStatistics], about: Mapping[str, Any]
    ) -> list[View]:
        """Write the table and the charts, if there is anything; returns the charts.

        `about` is what is known of all of them: model, photographs.
        """
        if not self.rows:
            return []
        photographs = {row["photograph"]: place for place, row in reversed(list(enumerate(self.rows)))}
        self.rows.sort(  # threads were done with them in any order
            key=lambda row: (
                photographs[row["photograph"]], row["index"], not str(row["layer"]).endswith(BEFORE),
            )
        )  # fmt: skip
        for row in self.rows:
            seen = statistics.get(str(row["layer"]))
            if seen:
                row |= {"split_pictures": seen.pictures, "split_zeros_share": round(seen.zeros, 6)}
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(directory / TABLE, text.getvalue())
        about = {"view": "summary", "layers": list(self._of_layers()), **about}
        return [
            self._by_depth(directory, statistics, about),
            self._distributions(directory, statistics, about),
        ]

    def _of_layers(self) -> dict[str, list[dict[str, str | int | float]]]:
        result: dict[str, list[dict[str, str | int | float]]] = {}
        for row in self.rows:
            result.setdefault(str(row["layer"]), []).append(row)
        return result

    def _mean(self, key: str) -> list[float]:
        return [float(np.mean([float(row[key]) for row in rows])) for rows in self._of_layers().values()]

    def _by_depth(
        self, directory: Path, statistics: dict[str, ChannelStatistics], about: Mapping[str, Any]
    ) -> View:
        of_layers = self._of_layers()
        shares = {"silent channels": self._mean("silent_share"), "zeros": self._mean("zeros_share")}
        caption = (
            "share of channels that are the same everywhere on a photograph, and of values that are zero"
        )
        dead = [rows[0]["dead_share"] for rows in of_layers.values()]
        if any(share != "" for share in dead):
            shares["dead channels"] = [math.nan if share == "" else float(share) for share in dead]
            pictures = next(iter(statistics.values())).pictures
            caption += f"; of channels that are zero after their activation on {pictures:,} pictures"
        figure.shares_by_depth(directory / BY_DEPTH, list(of_layers), shares)
        return view_of_chart(directory, BY_DEPTH, title="by depth", caption=caption, provenance=about)

    def _distributions(
        self, directory: Path, statistics: dict[str, ChannelStatistics], about: Mapping[str, Any]
    ) -> View:
        """Of the splits where they were looked over, else of a sample of the photographs."""
        paths = list(self._of_layers())
        caption = "how often values occur that are not zero; the share of zeros beside the layer's name"
        if statistics:
            histograms = [statistics[path].histogram for path in paths]
            zeros = [statistics[path].zeros for path in paths]
            pictures = statistics[paths[0]].pictures
            caption += f"; on the {pictures:,} pictures of splits"
            about = {**about, "pictures": pictures}
        else:
            histograms = [_histogram(np.concatenate(self.samples[path])) for path in paths]
            zeros = self._mean("zeros_share")
            caption += "; a sample of what is there for the photographs"
        figure.distributions(directory / DISTRIBUTIONS, paths, histograms, zeros)
        return view_of_chart(
            directory, DISTRIBUTIONS, title="distributions", caption=caption, provenance=about
        )


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of those that are not zero, between their 0.5th and 99.5th percentile."""
    some = values[values != 0]
    if not len(some):
        return np.zeros(BARS), np.linspace(0, 1, BARS + 1)
    low, high = np.quantile(some, [0.005, 0.995])
    return np.histogram(some, BARS, (low, high if high > low else low + 1))
