"""Counts of silent channels and zeros, and samples of the values, over the layers of several photographs."""

from dataclasses import dataclass, field

import numpy as np

from convscope.graph import Layer
from convscope.vis.channel_statistics import BARS, ChannelStatistics
from convscope.vis.extractor import BEFORE

COLUMNS = (
    "photograph", "index", "layer", "type", "channels", "silent", "silent_share", "zeros_share", "dead",
    "dead_share", "lowest", "mean", "highest", "split_pictures", "split_zeros_share",
)  # fmt: skip
SAMPLE = 4096  # values of a layer and photograph in its histogram
MAX_PHOTOGRAPHS = 64  # in the histograms

Row = dict[str, str | int | float]


@dataclass
class LayerCounts:
    """A row for each photograph and layer, and a sample of the values of each layer.

    The keys of a row are `COLUMNS`. The cell of an unknown value is empty.
    """

    rows: list[Row] = field(default_factory=list)
    _samples: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(
        self, photograph: str, layer: Layer, maps: np.ndarray, *, silent: int, dead: np.ndarray | None
    ) -> None:
        """Count the maps of a layer for a photograph.

        Args:
            photograph: the key of the photograph.
            layer: the layer.
            maps: float (height, width, channels).
            silent: the number of channels with the same value at every position.
            dead: bool (channels,), the dead channels, or None if they are not known.
        """
        channels = maps.shape[-1]
        lowest, mean, highest = (float(value) for value in (maps.min(), maps.mean(), maps.max()))
        shares = (round(silent / channels, 6), round(float((maps == 0).mean()), 6))
        of_dead = ("", "") if dead is None else (int(dead.sum()), round(float(dead.mean()), 6))
        about = (photograph, layer.index, layer.path, layer.kind, channels, silent)
        cells = (*about, *shares, *of_dead, lowest, mean, highest, "", "")
        self.rows.append(dict(zip(COLUMNS, cells, strict=True)))
        kept = self._samples.setdefault(layer.path, [])
        if len(kept) < MAX_PHOTOGRAPHS:
            draw = np.random.default_rng(layer.index)
            kept.append(maps.ravel()[draw.integers(0, maps.size, min(SAMPLE, maps.size))])

    def sort(self, photographs: list[str]) -> None:
        """Sort the rows by photograph, in the given order, and by layer: threads add them in any order."""
        order = {key: index for index, key in enumerate(photographs)}
        self.rows.sort(
            key=lambda row: (
                order[str(row["photograph"])], row["index"], not str(row["layer"]).endswith(BEFORE)
            )
        )  # fmt: skip

    def add_statistics(self, statistics: dict[str, ChannelStatistics]) -> None:
        """Fill in what is known of the reference images, by layer path."""
        for row in self.rows:
            known = statistics.get(str(row["layer"]))
            if known:
                row |= {"split_pictures": known.pictures, "split_zeros_share": round(known.zeros, 6)}

    def by_layer(self) -> dict[str, list[Row]]:
        """Return the rows of each layer, by its path."""
        layers: dict[str, list[Row]] = {}
        for row in self.rows:
            layers.setdefault(str(row["layer"]), []).append(row)
        return layers

    def means(self, column: str) -> list[float]:
        """Return the mean of a column over the photographs, for each layer."""
        return [float(np.mean([float(row[column]) for row in rows])) for rows in self.by_layer().values()]

    def histograms(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return counts and edges for each layer, from the 0.5th to 99.5th percentile of nonzero values."""
        return [_histogram(np.concatenate(self._samples[path])) for path in self.by_layer()]


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    nonzero = values[values != 0]
    if not len(nonzero):
        return np.zeros(BARS), np.linspace(0, 1, BARS + 1)
    low, high = np.quantile(nonzero, [0.005, 0.995])
    return np.histogram(nonzero, BARS, (low, high if high > low else low + 1))
