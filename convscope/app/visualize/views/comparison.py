"""The comparison view: the differences of models in each layer, as a table and a chart."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from convscope.app.visualize.view import View
from convscope.config.schema.views.comparison import ComparisonConfig
from convscope.graph import JoinedLayer, Layer, joined_layers
from convscope.models.matching import matching_layers
from convscope.models.states import ModelState
from convscope.render import figure
from convscope.render.artifact import Artifact
from convscope.vis.model_difference import MapCorrelation, kernels, relative_change

TABLE, CHART = "comparison/summary.csv", "comparison/summary.png"
COLUMNS = ("index", "layer", "type", "one", "other", "channels", "correlation", "kernel_change")


@dataclass(frozen=True)
class Difference:
    """The difference of two models in one layer of the first of all models; an unknown value is NaN.

    `channels` is the number of channels that vary in both models.
    """

    layer: Layer
    pair: tuple[str, str]
    channels: int
    correlation: float
    change: float


class ComparisonView(View[ComparisonConfig]):
    """Compares the feature maps (from the view `activations`) and the kernels of each pair of models."""

    def draw(self) -> Iterator[Artifact]:
        """Yield table and chart."""
        differences = sorted(self._differences(), key=lambda difference: difference.layer.index)
        rows = [
            (
                difference.layer.index, difference.layer.path, difference.layer.kind, *difference.pair,
                difference.channels or "", _number(difference.correlation), _number(difference.change),
            )
            for difference in differences
        ]  # fmt: skip
        yield self.table(TABLE, COLUMNS, rows, about={})
        charts = {
            "correlation": _lines(differences, [difference.correlation for difference in differences]),
            "kernel change": _lines(differences, [difference.change for difference in differences]),
        }
        charts = {name: lines for name, lines in charts.items() if lines}
        if not charts:
            return
        layers = list(dict.fromkeys(difference.layer.path for difference in differences))

        def draw(path: Path) -> None:
            figure.differences_by_depth(path, layers, charts, logarithmic=["kernel change"])

        yield self.chart(CHART, draw, title="by depth", caption=" and ".join(charts), about={})

    def _differences(self) -> Iterator[Difference]:
        states = self.run.models[:]
        reference = states[0].bundle  # all pairs have its layer paths, as in `Run.correlations`
        matches = [matching_layers(reference, state.bundle) for state in states]
        for one, other in combinations(range(len(states)), 2):
            before, after = (_kernels(states[i], reference.layers, matches[i]) for i in (one, other))
            for joined in joined_layers(reference.layers):
                paths = [layer.path for layer in joined.members]
                changes = {path: _change(before.get(path, []), after.get(path, [])) for path in paths}
                for layer, maps, change in self._rows(joined, changes, (one, other)):
                    correlation, channels = (math.nan, 0) if maps is None else (maps.mean, maps.channels)
                    titles = states[one].title, states[other].title
                    yield Difference(layer, titles, channels, correlation, change)

    def _rows(
        self, joined: JoinedLayer, changes: Mapping[str, float], pair: tuple[int, int]
    ) -> list[tuple[Layer, MapCorrelation | None, float]]:
        """Return the layers with known differences: one for the whole unless several have maps."""
        rows = [
            (layer, self.run.correlations.get((layer.path, *pair)), changes[layer.path])
            for layer in joined.members
        ]
        known = [row for row in rows if row[1] is not None or not math.isnan(row[2])]
        drawn = [maps for _, maps, _ in known if maps is not None]
        if not known or len(drawn) > 1:
            return known
        changed = [change for *_, change in known if not math.isnan(change)]
        return [(joined.members[0], drawn[0] if drawn else None, changed[0] if changed else math.nan)]


def _kernels(
    state: ModelState, layers: Sequence[Layer], matches: Mapping[str, Layer]
) -> dict[str, list[np.ndarray]]:
    """Return copies of the kernels that match `layers`, by the paths of these; other types are left out."""
    state.load_weights()
    found = ((layer, matches.get(layer.path)) for layer in layers)
    return {
        layer.path: kernels(match.keras_layer)
        for layer, match in found
        if match is not None and match.kind == layer.kind
    }


def _change(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    """Return the relative change of a layer's kernels; NaN if it has none or their shapes differ."""
    if not before or [kernel.shape for kernel in before] != [kernel.shape for kernel in after]:
        return math.nan
    return relative_change(before, after)


def _lines(differences: Sequence[Difference], values: Sequence[float]) -> dict[str, list[float]]:
    """Return the values of each pair for all layers that have a row; an empty dictionary if all are NaN."""
    if not np.isfinite(values).any():
        return {}
    positions = {
        path: index for index, path in enumerate(dict.fromkeys(row.layer.path for row in differences))
    }
    lines: dict[str, list[float]] = {}
    for difference, value in zip(differences, values, strict=True):
        line = lines.setdefault(" and ".join(difference.pair), [math.nan] * len(positions))
        line[positions[difference.layer.path]] = value
    return lines


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
