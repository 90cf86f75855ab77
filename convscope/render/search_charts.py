"""Charts of a search: the losses in the order of the trials, the importance of settings, loss by setting.

Each function writes a PNG file and returns the figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from convscope.render.figure import TRAIN_COLOR, VALIDATION_COLOR, save_png

_ACROSS = 3  # slices in a row
_HIGHEST = 95  # percentile of the losses at which the axis ends: one diverged run would hide all others


@dataclass(frozen=True)
class Dot:
    """A trial with a loss.

    Attributes:
        number: the number of the trial.
        loss: its validation loss; of a pruned trial, the loss of its last epoch.
        is_pruned: whether it was stopped early.
        values: its values by setting.
    """

    number: int
    loss: float
    is_pruned: bool
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """A setting of the search; `choices` are its values in the order of the axis, None for numbers."""

    name: str
    is_log: bool
    choices: Sequence[Any] | None


def history(path: Path, dots: Sequence[Dot]) -> Figure:
    """Draw the loss of each trial, and the lowest loss so far."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    _scatter(axes, dots, [dot.number for dot in dots])
    complete = [dot for dot in dots if not dot.is_pruned]
    if complete:
        numbers = [dot.number for dot in complete] + [max(dot.number for dot in dots)]
        lowest = np.minimum.accumulate([dot.loss for dot in complete])
        axes.step(
            numbers,
            [*lowest, lowest[-1]],
            where="post",
            color=VALIDATION_COLOR,
            label=f"lowest so far: {lowest[-1]:.4f}",
        )
    axes.set(xlabel="trial", ylabel="validation loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return save_png(path, figure)


def importance(path: Path, shares: Mapping[str, float]) -> Figure:
    """Draw the importance of each setting, 0..1, the highest on top."""
    ordered = sorted(shares.items(), key=lambda item: item[1])
    figure = Figure(figsize=(10, 0.7 + 0.45 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(range(len(ordered)), [share for _, share in ordered], color=VALIDATION_COLOR)
    axes.set_yticks(range(len(ordered)), [name for name, _ in ordered])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlim=(0, 1.1), xlabel="share of the importance")
    axes.spines[["top", "right"]].set_visible(False)
    return save_png(path, figure)


def slices(path: Path, dots: Sequence[Dot], settings: Sequence[Setting]) -> Figure:
    """Draw the loss of each trial against each setting."""
    across = min(_ACROSS, len(settings))
    down = -(-len(settings) // across)
    figure = Figure(figsize=(1 + 3.2 * across, 3.2 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes, setting in zip(grid.flat, settings, strict=False):
        _slice(axes, dots, setting)
    for axes in grid.flat[len(settings) :]:
        axes.axis("off")
    for axes in grid[:, 0]:
        axes.set_ylabel("validation loss")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return save_png(path, figure)


def _slice(axes: Axes, dots: Sequence[Dot], setting: Setting) -> None:
    present = [dot for dot in dots if setting.name in dot.values]
    values = [dot.values[setting.name] for dot in present]
    if setting.choices is not None:
        choices = list(setting.choices)
        values = [choices.index(value) for value in values]
        axes.set_xticks(range(len(choices)), [str(choice)[:20] for choice in choices])
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif setting.is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # the default one uses mathematical text
        axes.xaxis.set_minor_formatter(NullFormatter())
    _scatter(axes, present, values)
    axes.set_xlabel(setting.name)


def _scatter(axes: Axes, dots: Sequence[Dot], positions: Sequence[float]) -> None:
    """Draw complete trials as dots and pruned ones as crosses; dots above the axis are at its upper end."""
    if not dots:
        return
    losses = np.array([dot.loss for dot in dots])
    is_pruned = np.array([dot.is_pruned for dot in dots], bool)
    low, high = losses.min(), np.percentile(losses, _HIGHEST)
    margin = 0.06 * (high - low) or 0.1
    axes.set_ylim(low - margin, high + margin)
    shown, at = np.minimum(losses, high + margin), np.asarray(positions, float)
    axes.plot(at[~is_pruned], shown[~is_pruned], "o", color="#222222", markersize=5, label="complete")
    axes.plot(at[is_pruned], shown[is_pruned], "x", color=TRAIN_COLOR, markersize=6, label="pruned")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
