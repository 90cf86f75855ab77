"""How far the models of `compare=` are apart, layer by layer: a table and a chart."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from convscope.app.visualize.compared import Compared
from convscope.files import write_text
from convscope.graph import Layer
from convscope.render import figure
from convscope.render.artifact import View, view_of_chart
from convscope.vis.model_difference import MapCorrelation, kernels, relative_change

INTRO = (
    "Correlation: of the maps that a channel has in the one model and in the other, over all places of the "
    "photographs, the mean of the channels; 1 is the same but for a factor. Kernel change: the length of the "
    "difference of a layer's kernels, as a share of the length of the first one's; 0 is inherited as it was, "
    "and unrelated kernels of one length are at 1.41. The numbers are in compare/summary.csv."
)
TABLE, CHART = "compare/summary.csv", "compare/summary.png"
COLUMNS = ("index", "layer", "type", "one", "other", "channels", "correlation", "kernel_change")


@dataclass(frozen=True)
class _Difference:
    """Two models in one layer; NaN is not known. `channels` vary in both."""

    layer: Layer
    pair: tuple[str, str]
    channels: int
    correlation: float
    change: float


class Summary:
    """Takes in the maps of each photograph; each two of the models are a pair, in the order of the list."""

    def __init__(self, models: Sequence[Compared]) -> None:
        self.models = models
        self.pairs = list(combinations(range(len(models)), 2))
        self._maps: dict[tuple[str, int, int], MapCorrelation] = {}

    def add(self, path: str, maps: Sequence[np.ndarray]) -> None:
        """Take in what a layer puts out for a photograph, float (height, width, channels) of each model."""
        for one, other in self.pairs:
            self._maps.setdefault((path, one, other), MapCorrelation()).add(maps[one], maps[other])

    def write(self, directory: Path, provenance: Mapping[str, object]) -> Iterator[View]:
        """Write the table and, if there is anything to draw, the chart; yields the chart."""
        rows = sorted(self._rows(), key=lambda row: row.layer.index)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            numbers = (_number(row.correlation), _number(row.change))
            writer.writerow(
                [row.layer.index, row.layer.path, row.layer.kind, *row.pair, row.channels or "", *numbers]
            )
        write_text(directory / TABLE, text.getvalue())
        charts = {
            "correlation": _lines(rows, [row.correlation for row in rows]),
            "kernel change": _lines(rows, [row.change for row in rows]),
        }
        charts = {name: lines for name, lines in charts.items() if lines}
        if not charts:
            return
        layers = list(dict.fromkeys(row.layer.path for row in rows))
        figure.differences_by_depth(directory / CHART, layers, charts, logarithmic=["kernel change"])
        yield view_of_chart(
            directory,
            CHART,
            title="by depth",
            caption=" and ".join(charts),
            provenance={"view": "compare", **provenance},
        )

    def _rows(self) -> Iterator[_Difference]:
        for one, other in self.pairs:
            first, second = self.models[one], self.models[other]
            twins = second.twins(first)
            for layer in first.bundle.layers:
                seen = self._maps.get((layer.path, one, other))
                change = _change(layer, twins.get(layer.path))
                if seen is None and math.isnan(change):
                    continue
                correlation, channels = (math.nan, 0) if seen is None else (seen.mean, seen.channels)
                yield _Difference(layer, (first.title, second.title), channels, correlation, change)


def _change(layer: Layer, twin: Layer | None) -> float:
    """Of the kernels of a layer; NaN where it has none, or the other model has no such layer."""
    if twin is None or twin.kind != layer.kind:
        return math.nan
    before, after = kernels(layer.keras_layer), kernels(twin.keras_layer)
    if not before or [each.shape for each in before] != [each.shape for each in after]:
        return math.nan
    return relative_change(before, after)


def _lines(rows: Sequence[_Difference], values: Sequence[float]) -> dict[str, list[float]]:
    """A line a pair, over all layers that have a row; none where no value is known."""
    if not np.isfinite(values).any():
        return {}
    places = {path: place for place, path in enumerate(dict.fromkeys(row.layer.path for row in rows))}
    result: dict[str, list[float]] = {}
    for row, value in zip(rows, values, strict=True):
        line = result.setdefault(f"{row.pair[0]} and {row.pair[1]}", [math.nan] * len(places))
        line[places[row.layer.path]] = value
    return result


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
