"""Charts of a training: learning curves, confusion matrix, calibration, ROC.

Each function writes a PNG file and returns the figure. The global state of Matplotlib is not used.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from convscope.render.figure import TRAIN_COLOR, VALIDATION_COLOR, add_legend, save_png, short_class

_VALIDATION_LINES = (("validation", VALIDATION_COLOR), ("validation, average of the weights", "#2563a8"))
Bins = tuple[np.ndarray, np.ndarray, np.ndarray]  # of `reliability`


def learning_curves(
    path: Path, history: Sequence[Mapping[str, float]], *, keeps_first_phase: bool = False
) -> Figure:
    """Draw loss and accuracy by epoch for training and validation; mark the epoch whose weights are kept.

    Args:
        path: path of the PNG file.
        history: a row for each epoch, as in `history.csv`, with or without the average of the weights.
        keeps_first_phase: whether the model of an earlier phase is kept; then no epoch is marked.
    """
    epochs = [row["epoch"] for row in history]
    measured = ["val", *(["average_val"] if "average_val_loss" in history[0] else [])]
    losses = np.array([[row[f"{kind}_loss"] for kind in measured] for row in history])
    lowest = int(np.nanargmin(losses)) if np.isfinite(losses).any() else 0
    best, kind = divmod(lowest, len(measured))
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        lines = [(name, "training", TRAIN_COLOR)]
        for prefix, (label, color) in zip(measured, _VALIDATION_LINES, strict=False):
            lines.append((f"{prefix}_{name}", label, color))
        for key, label, color in lines:
            values = [row[key] for row in history]
            axes.plot(epochs, values, "o-", color=color, markersize=4, label=label)
        if keeps_first_phase:
            axes.set_title(f"{name} (kept: the model of the first phase)")
        else:
            kept = history[best][f"{measured[kind]}_{name}"]
            color = _VALIDATION_LINES[kind][1]
            axes.plot(epochs[best], kept, "o", color=color, markersize=11, markerfacecolor="none")
            which = ", average" if kind else ""
            axes.set_title(f"{name} (kept: epoch {epochs[best]}{which}, {kept:.3f})")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.margins(0.05, 0.08)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()  # both charts have the same lines
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return save_png(path, figure)


def confusion_matrix(path: Path, confusion: np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """Draw counts by true class (row) and predicted class (column), coloured by their share of the row.

    `confusion` is int (classes, classes).
    """
    count = len(classes)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = min(3.2 + 0.62 * count, 22)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [short_class(name) for name in classes]
    axes.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), names)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    if count <= 30:
        for row, column in np.ndindex(count, count):
            color = "white" if share[row, column] > 0.55 else "#222222"
            axes.text(column, row, str(confusion[row, column]), ha="center", va="center", color=color)
    figure.colorbar(picture, label="share of the true class", shrink=0.8)
    return save_png(path, figure)


def reliability(path: Path, before: Bins, after: Bins | None = None) -> Figure:
    """Draw accuracy against confidence for each bin; the area of a point is its share of the examples.

    Args:
        path: path of the PNG file.
        before: for each bin, float (bins,): the mean probability of the predicted class, 0..1, the share of
            correct predictions, 0..1, and the number of examples.
        after: the same after calibration, or None.
    """
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=TRAIN_COLOR, linewidth=1)
    for bins, name, color in ((before, "of the model", VALIDATION_COLOR), (after, "calibrated", TRAIN_COLOR)):
        if bins is None:
            continue
        confidence, accuracy, counts = bins
        error = (np.abs(confidence - accuracy) * counts).sum() / counts.sum()
        label = f"{name}: expected calibration error {error:.3f}"
        axes.scatter([], [], s=40, color=color, alpha=0.6, label=label)  # of one size in the legend
        axes.scatter(confidence, accuracy, s=20 + 600 * counts / counts.sum(), color=color, alpha=0.6)
    axes.set(
        xlim=(0, 1.03),
        ylim=(0, 1.05),
        xlabel="confidence: probability of the predicted class",
        ylabel="accuracy",
    )
    axes.set_title("reliability")
    figure.legend(loc="outside lower left", frameon=False)  # points can be everywhere in the axes
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return save_png(path, figure)


def class_curves(path: Path, truth: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw ROC and precision-recall curves of each class against the others.

    Args:
        path: path of the PNG file.
        truth: int (n,), the indices of the true classes.
        probabilities: float (n, classes), 0..1.
        classes: the names of the classes. Of more than ten, the ten with the lowest average precision are
            drawn.
    """
    from sklearn import metrics  # slow to import, and only a training needs it

    known = [index for index in range(len(classes)) if 0 < (truth == index).sum() < len(truth)]
    scores = {
        index: metrics.average_precision_score(truth == index, probabilities[:, index]) for index in known
    }
    shown = sorted(sorted(known, key=lambda index: scores[index])[:10])
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    roc, recall = figure.subplots(1, 2)
    areas = {}
    for index in shown:
        false, true, _ = metrics.roc_curve(truth == index, probabilities[:, index])
        areas[index] = metrics.auc(false, true)
        roc.plot(false, true)
        precision, recalled, _ = metrics.precision_recall_curve(truth == index, probabilities[:, index])
        recall.step(recalled, precision, where="post")
    roc.set(
        xlabel="false positive rate",
        ylabel="true positive rate",
        title="ROC curves, with the area under each",
    )
    recall.set(xlabel="recall", ylabel="precision", title="precision-recall curves, with average precision")
    for axes, scored in ((roc, areas), (recall, scores)):
        labels = [f"{classes[index]} {scored[index]:.3f}" for index in shown]
        add_legend(axes, axes.get_lines(), labels, loc="lower center")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return save_png(path, figure)
