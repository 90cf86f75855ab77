"""The summary of all layers of one model: a table by photograph and layer, and charts by layer."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convscope.render import figure
from convscope.render.artifact import Artifact
from convscope.vis.channel_statistics import ChannelStatistics
from convscope.vis.layer_counts import COLUMNS, LayerCounts

if TYPE_CHECKING:
    from convscope.app.visualize.views.activations.drawing import ActivationsView

TABLE, BY_DEPTH, DISTRIBUTIONS = (
    f"activations/{name}" for name in ("summary.csv", "summary.png", "distributions.png")
)


def summary(
    view: "ActivationsView", counts: LayerCounts, statistics: dict[str, ChannelStatistics]
) -> Iterator[Artifact]:
    """Yield table and charts of the counts, if there are any.

    `statistics` has the statistics of the reference images by layer path.
    """
    if not counts.rows:
        return
    counts.sort([photograph.key for photograph in view.photographs])
    counts.add_statistics(statistics)
    counted = {row["photograph"] for row in counts.rows}
    hashes = {photo.key: photo.sha256 for photo in view.photographs if photo.key in counted}
    rows = [[row[column] for column in COLUMNS] for row in counts.rows]
    yield view.table(TABLE, COLUMNS, rows, about={"photographs": hashes})
    about = {"layers": list(counts.by_layer()), "photographs": hashes}
    yield _by_depth(view, counts, statistics, about)
    yield _distributions(view, counts, statistics, about)


def _by_depth(
    view: "ActivationsView",
    counts: LayerCounts,
    statistics: dict[str, ChannelStatistics],
    about: dict[str, Any],
) -> Artifact:
    layers = counts.by_layer()
    shares = {"silent channels": counts.means("silent_share"), "zeros": counts.means("zeros_share")}
    caption = "share of channels with the same value at every position of a photograph, and share of zeros"
    dead = [rows[0]["dead_share"] for rows in layers.values()]
    if any(share != "" for share in dead):
        shares["dead channels"] = [math.nan if share == "" else float(share) for share in dead]
        images = next(iter(statistics.values())).pictures
        caption += f"; share of channels that are zero after their activation on {images:,} images"
    rectified = [min(float(row["lowest"]) for row in rows) >= 0 for rows in layers.values()]

    def draw(path: Path) -> None:
        figure.shares_by_depth(path, list(layers), shares, rectified=rectified)

    return view.chart(BY_DEPTH, draw, title="by depth", caption=caption, about=about)


def _distributions(
    view: "ActivationsView",
    counts: LayerCounts,
    statistics: dict[str, ChannelStatistics],
    about: dict[str, Any],
) -> Artifact:
    """Return the histograms of the reference images; without statistics, those of the photographs."""
    paths = list(counts.by_layer())
    caption = "histogram of the nonzero values; the share of zeros is beside the name of the layer"
    if statistics:
        histograms = [statistics[path].histogram for path in paths]
        zeros = [statistics[path].zeros for path in paths]
        images = statistics[paths[0]].pictures
        caption += f"; of the {images:,} images of splits"
        about = {**about, "pictures": images}
    else:
        histograms, zeros = counts.histograms(), counts.means("zeros_share")
        caption += "; from a sample of the values for the photographs"

    def draw(path: Path) -> None:
        figure.distributions(path, paths, histograms, zeros)

    return view.chart(DISTRIBUTIONS, draw, title="distributions", caption=caption, about=about)
