"""Charts with axes: bars, values by depth, intervals, distributions, tables of maps.

Each function writes a PNG file and returns the figure. The global state of Matplotlib is not used.
"""

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from convscope.files import write_bytes

TRAIN_COLOR, VALIDATION_COLOR = "#8a8f98", "#c2410c"
LINE_COLORS = (VALIDATION_COLOR, "#222222", "#2563a8", "#5b8c3a", "#8b5a9e", "#b08a2e")


def growth(path: Path, values: np.ndarray, title: str) -> Figure:
    """Draw the objective of each channel by step, float (channels, steps), and their median in bold."""
    figure = Figure(figsize=(4.6, 2.4), layout="constrained")
    axes = figure.subplots()
    steps = range(1, values.shape[1] + 1)
    axes.plot(steps, values.T, color=TRAIN_COLOR, linewidth=0.7, alpha=0.7)
    axes.plot(steps, np.median(values, 0), color=VALIDATION_COLOR, linewidth=2.2)
    axes.set_xlabel("step", fontsize=8)
    axes.set_ylabel("objective", fontsize=8)
    axes.set_title(_short_path(title), fontsize=9)
    axes.tick_params(labelsize=7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return save_png(path, figure)


def bars(path: Path, values: np.ndarray, title: str, labels: Sequence[str] | None = None) -> Figure:
    """Draw a bar for each value, float (units,); horizontal bars with names if `labels` are given."""
    if labels is None:
        figure = Figure(figsize=(10, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.bar(range(len(values)), values, width=1.0, color=VALIDATION_COLOR)
        axes.set(xlabel="unit", xlim=(-0.5, len(values) - 0.5))
    else:
        figure = Figure(figsize=(7, 0.9 + 0.26 * len(values)), layout="constrained")
        axes = figure.subplots()
        axes.barh(range(len(values)), values, color=VALIDATION_COLOR)
        axes.set_yticks(range(len(values)), [short_class(label) for label in labels])
        axes.invert_yaxis()
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    return save_png(path, figure)


def shares_by_depth(
    path: Path,
    layers: Sequence[str],
    shares: Mapping[str, Sequence[float]],
    *,
    rectified: Sequence[bool] | None = None,
) -> Figure:
    """Draw up to three shares of each layer, 0..1, in the order of the graph.

    Rectified layers (with a ReLU) and other layers are on separate lines, because such a share depends on the
    type of a layer more than on its depth.

    Args:
        path: path of the PNG file.
        layers: paths of the layers.
        shares: by name, a share for each layer; an unknown share is NaN and is left out.
        rectified: for each layer, whether it is rectified; None draws one line for each name.
    """
    indices_of_all = list(range(len(layers)))
    series = [("", "-", "", indices_of_all)]  # end of the label, line style, colour of markers, layers
    if rectified is not None and len(set(rectified)) == 2:
        series = [
            (", rectified layers", "-", "", [index for index in indices_of_all if rectified[index]]),
            (", other layers", ":", "white", [index for index in indices_of_all if not rectified[index]]),
        ]
    width = min(4 + 0.22 * len(layers), 18) + (2.6 if len(series) > 1 else 0)
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    axes = figure.subplots()
    for (name, values), color in zip(
        shares.items(), (VALIDATION_COLOR, TRAIN_COLOR, "#222222"), strict=False
    ):
        for label, style, face, indices in series:
            of_series = [values[index] for index in indices]
            if len(series) == 1 or np.isfinite(of_series).any():
                options: dict[str, Any] = {"color": color, "markersize": 4, "markerfacecolor": face or color}
                axes.plot(indices, of_series, f"o{style}", label=name + label, **options)
    _name_layers(axes, layers)
    axes.set(ylim=(-0.03, 1.03), ylabel="share", title="share by depth, mean over the photographs")
    axes.grid(alpha=0.25)
    if len(series) == 1:
        figure.legend(loc="outside lower center", ncols=len(shares), frameon=False)
    else:
        figure.legend(loc="outside right upper", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return save_png(path, figure)


def differences_by_depth(
    path: Path,
    layers: Sequence[str],
    charts: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    logarithmic: Sequence[str] = (),
) -> Figure:
    """Draw charts below each other with a value for each layer, in the order of the graph.

    Args:
        path: path of the PNG file.
        layers: paths of the layers.
        charts: by name of the chart, the values of each line by name; an unknown value is NaN and is left
            out.
        logarithmic: the charts with an axis that is logarithmic from 0.01 on, and linear below.
    """
    width = min(max(7, 3 + 0.24 * len(layers)), 18)
    figure = Figure(figsize=(width, 1.6 + 2.3 * len(charts)), layout="constrained")
    all_axes = figure.subplots(len(charts), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, lines) in zip(all_axes, charts.items(), strict=True):
        for index, values in enumerate(lines.values()):
            known = [position for position, value in enumerate(values) if math.isfinite(value)]
            color = LINE_COLORS[index % len(LINE_COLORS)]
            axes.plot(known, [values[position] for position in known], "o-", color=color, markersize=4)
        lowest, highest = axes.get_ylim()
        axes.set(ylabel=name, ylim=(min(lowest, -0.03), max(highest, 1.03)))
        if name in logarithmic:
            axes.set_yscale("symlog", linthresh=0.01)
            axes.set_ylim(-0.002, 1.5 * max(highest, 1))
            axes.yaxis.set_major_formatter("{x:g}")
        axes.axhline(0, color=TRAIN_COLOR, linewidth=0.6)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    _name_layers(all_axes[-1], layers)
    longest = round(14 * width) - 6  # characters that fit into the legend
    labels = [
        label if len(label) <= longest else f"{label[: longest - 1]}…"
        for label in next(iter(charts.values()))
    ]
    columns = max(1, min(3, longest // (max(map(len, labels)) + 6)))
    handles = all_axes[0].get_lines()[: len(labels)]
    add_legend(figure, handles, labels, loc="outside upper left", ncols=columns)
    return save_png(path, figure)


def intervals(
    path: Path, panels: Mapping[str, tuple[Mapping[str, Any], float | None]], *, across: int = 4
) -> Figure:
    """Draw a panel for each measure: a point with its interval for each method, in one order in all panels.

    Args:
        path: path of the PNG file.
        panels: by heading, the intervals by method, with the attributes `mean`, `low` and `high`, and the
            value of chance or None.
        across: panels in a row.
    """
    names = list(dict.fromkeys(name for values, _ in panels.values() for name in values))
    down = -(-len(panels) // across)
    size = (2.0 + 2.4 * min(across, len(panels)), down * (0.9 + 0.24 * len(names)))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(down, min(across, len(panels)), sharey=True, squeeze=False).flat
    for axes, (heading, (values, chance)) in zip(grid, panels.items(), strict=False):
        for row, name in enumerate(names):
            if name in values:
                one = values[name]
                axes.plot([one.low, one.high], [row, row], color=TRAIN_COLOR, linewidth=2)
                axes.plot(one.mean, row, "o", color=VALIDATION_COLOR, markersize=5)
        if chance is not None:
            axes.axvline(chance, color="#222222", linestyle="--", linewidth=0.8)
        axes.set_title(heading, fontsize=9)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.tick_params(axis="x", labelsize=7)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(figure.axes)[len(panels) :]:
        axes.set_visible(False)
    return save_png(path, figure)


def map_table(
    path: Path,
    maps: Mapping[str, Sequence[np.ndarray]],
    columns: Sequence[str],
    notes: Mapping[str, Sequence[str]],
) -> Figure:
    """Draw a table of maps, each on its own scale, with a note below each map.

    Args:
        path: path of the PNG file.
        maps: for each row, the maps, float (height, width), one for each column.
        columns: the headings.
        notes: for each row, the texts below the maps.
    """
    figure = Figure(figsize=(1.4 + 1.05 * len(columns), 0.4 + 1.2 * len(maps)), layout="constrained")
    grid = figure.subplots(len(maps), len(columns), squeeze=False)
    for of_row, (name, heats) in zip(grid, maps.items(), strict=True):
        for axes, heat, note in zip(of_row, heats, notes[name], strict=True):
            axes.imshow(heat, cmap="inferno")
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(note, fontsize=7)
        of_row[0].set_ylabel(name.replace(" ", "\n"), fontsize=7)
    for axes, heading in zip(grid[0], columns, strict=True):
        axes.set_title(heading, fontsize=8)
    return save_png(path, figure)


def distributions(
    path: Path,
    names: Sequence[str],
    histograms: Sequence[tuple[np.ndarray, np.ndarray]],
    zeros: Sequence[float],
) -> Figure:
    """Draw a small histogram of the nonzero values of each layer, in the order of the graph.

    Args:
        path: path of the PNG file.
        names: paths of the layers.
        histograms: for each layer the counts, float (steps,), and the ends of the steps, float (steps + 1,),
            as `numpy.histogram` returns them.
        zeros: the share of zeros of each layer, 0..1.
    """
    across = min(6, len(names))
    down = -(-len(names) // across)
    figure = Figure(figsize=(2.2 * across, 1.25 * down), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, across), ylim=(-down, 0.08))
    axes.axis("off")
    for index, (name, (counts, edges), share) in enumerate(zip(names, histograms, zeros, strict=True)):
        row, column = divmod(index, across)
        left, floor = column + 0.06, -row - 0.72
        text = f"{_short_path(name)}, {share:.0%} zero" if share else _short_path(name)
        axes.text(left, floor + 0.58, text, fontsize=6.5)
        axes.plot([left, left + 0.88], [floor, floor], color=TRAIN_COLOR, linewidth=0.6)
        if not counts.any():
            continue
        x = left + 0.88 * (edges - edges[0]) / (edges[-1] - edges[0])
        closed = np.append(counts, counts[-1])  # so that the last step has a width
        heights = floor + 0.5 * closed / counts.max()
        axes.fill_between(x, floor, heights, step="post", color=VALIDATION_COLOR, alpha=0.8)
        if edges[0] < 0 < edges[-1]:
            zero = left + 0.88 * (0 - edges[0]) / (edges[-1] - edges[0])
            axes.plot([zero, zero], [floor, floor + 0.5], color="#222222", linewidth=0.5)
        axes.text(left, floor - 0.03, f"{edges[0]:.2g}", fontsize=5.5, va="top")
        axes.text(left + 0.88, floor - 0.03, f"{edges[-1]:.2g}", fontsize=5.5, va="top", ha="right")
    return save_png(path, figure)


def _name_layers(axes: Axes, layers: Sequence[str]) -> None:
    """Write the names of layers below the axis: all, or at most 60 at equal distances."""
    step = -(-len(layers) // 60)
    names = [_short_path(name) for name in layers[::step]]
    axes.set_xticks(range(0, len(layers), step), names, rotation=90, fontsize=7)


def _short_path(name: str) -> str:
    """Shorten a layer path to its last 26 characters: layers of one model differ there."""
    if len(name) > 26:
        name = name.replace(" before activation", " before")
    return name if len(name) <= 26 else f"…{name[-25:]}"


def short_class(name: str) -> str:
    """Shorten a class name to the first 40 characters."""
    return name if len(name) <= 40 else f"{name[:39]}…"


def add_legend(parent: Axes | Figure, lines: Sequence[Line2D], labels: Sequence[str], **options: Any) -> None:
    """Add a legend; its labels are set afterwards, because Matplotlib omits labels that begin with `_`."""
    legend = parent.legend(lines, ["name"] * len(labels), frameon=False, fontsize=8, **options)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)


def save_png(path: Path, figure: Figure) -> Figure:
    """Write a figure as PNG, completely or not at all, and return it with its final layout."""
    FigureCanvasAgg(figure)
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # names may contain dollars
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # names in other scripts are drawn as boxes; page and tables show them
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=120, metadata={"Software": "convscope"})
    write_bytes(path, buffer.getvalue())
    return figure
