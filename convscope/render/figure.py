"""Charts with axes: learning curves, confusion matrix. Matplotlib, without its global state."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from convscope.files import write_bytes

TRAIN_COLOR, VALIDATION_COLOR = "#8a8f98", "#c2410c"


def learning_curves(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Loss and accuracy by epoch, for training and validation; the kept epoch is marked.

    `history` has a row an epoch: epoch, loss, accuracy, val_loss, val_accuracy.
    """
    epochs = [row["epoch"] for row in history]
    losses = np.array([row["val_loss"] for row in history])
    best = int(np.nanargmin(losses)) if np.isfinite(losses).any() else 0
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label, color in (
            (name, "training", TRAIN_COLOR),
            (f"val_{name}", "validation", VALIDATION_COLOR),
        ):
            values = [row[key] for row in history]
            axes.plot(epochs, values, "o-", color=color, markersize=4, label=label)
        kept = history[best][f"val_{name}"]
        axes.plot(epochs[best], kept, "o", color=VALIDATION_COLOR, markersize=11, markerfacecolor="none")
        axes.set(xlabel="epoch", title=f"{name} (kept: epoch {epochs[best]}, {kept:.3f})")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.margins(0.05, 0.08)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    _save(path, figure)


def confusion_matrix(path: Path, confusion: np.ndarray, classes: Sequence[str], title: str) -> None:
    """Counts by true (row) and predicted (column) class, coloured by the share of the row.

    `confusion` is int (classes, classes).
    """
    count = len(classes)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = min(3.2 + 0.62 * count, 22)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), classes, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), classes)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    if count <= 30:
        for row, column in np.ndindex(count, count):
            color = "white" if share[row, column] > 0.55 else "#222222"
            axes.text(column, row, str(confusion[row, column]), ha="center", va="center", color=color)
    figure.colorbar(picture, label="share of the true class", shrink=0.8)
    _save(path, figure)


def _save(path: Path, figure: Figure) -> None:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": "convscope"})
    write_bytes(path, buffer.getvalue())
