"""Charts of a training: the drawn values, from the artists of Matplotlib and the pixels of the file."""

from pathlib import Path

import numpy as np

from convscope.render import training_charts
from tests.render.artists import pixel_at, texts


def test_the_confusion_matrix_has_its_counts_and_the_shares_of_the_rows(tmp_path: Path) -> None:
    confusion = np.array([[6, 2], [0, 5]])
    drawn = training_charts.confusion_matrix(tmp_path / "c.png", confusion, ["a", "b"], "title")
    axes = drawn.axes[0]
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]
    assert axes.images[0].get_clim() == (0, 1)
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    assert counts == {(0, 0): "6", (1, 0): "2", (0, 1): "0", (1, 1): "5"}
    darkness = [
        [255 - int(pixel_at(tmp_path / "c.png", drawn, x + 0.4, y + 0.4)[0]) for x in (0, 1)] for y in (0, 1)
    ]
    assert darkness[1][1] > darkness[0][0] > darkness[0][1] > darkness[1][0]


def test_learning_curves_have_the_history_and_mark_the_kept_epoch(tmp_path: Path) -> None:
    history = [
        {"epoch": epoch, "loss": loss, "val_loss": validation, "accuracy": 0.5, "val_accuracy": accuracy}
        for epoch, loss, validation, accuracy in ((1, 0.9, 0.8, 0.4), (2, 0.5, 0.6, 0.7), (3, 0.2, 0.9, 0.6))
    ]
    drawn = training_charts.learning_curves(tmp_path / "l.png", history)
    training, validation, kept = drawn.axes[0].get_lines()
    assert (training.get_ydata().tolist(), validation.get_ydata().tolist()) == (
        [0.9, 0.5, 0.2],
        [0.8, 0.6, 0.9],
    )
    assert (list(kept.get_xdata()), list(kept.get_ydata())) == ([2], [0.6])
    assert drawn.axes[1].get_title() == "accuracy (kept: epoch 2, 0.700)"
    earlier = training_charts.learning_curves(tmp_path / "l.png", history, keeps_first_phase=True)
    assert len(earlier.axes[0].get_lines()) == 2
    assert earlier.axes[0].get_title() == "loss (kept: the model of the first phase)"
    for row, loss in zip(history, (0.7, 0.65, 0.5), strict=True):
        row |= {"average_val_loss": loss, "average_val_accuracy": 0.9}
    drawn = training_charts.learning_curves(tmp_path / "l.png", history)
    assert len(drawn.axes[0].get_lines()) == 4
    assert drawn.axes[0].get_title() == "loss (kept: epoch 3, average, 0.500)"


def test_reliability_draws_a_point_for_each_bin(tmp_path: Path) -> None:
    confidence, accuracy = np.array([0.3, 0.9]), np.array([0.25, 0.8])
    after = np.array([0.5]), np.array([0.4]), np.array([4])
    drawn = training_charts.reliability(tmp_path / "r.png", (confidence, accuracy, np.array([1, 3])), after)
    legend = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert legend == [  # (0.05 · 1 + 0.1 · 3) / 4, and 0.1
        "of the model: expected calibration error 0.087",
        "calibrated: expected calibration error 0.100",
    ]
    points, other = (each for each in drawn.axes[0].collections if len(each.get_offsets()))
    assert other.get_offsets().tolist() == [[0.5, 0.4]]
    assert points.get_offsets().tolist() == [[0.3, 0.25], [0.9, 0.8]]
    assert points.get_sizes().tolist() == [20 + 600 / 4, 20 + 600 * 3 / 4]


def test_class_curves_by_hand(tmp_path: Path) -> None:
    """Of class 0, one of two negatives is ranked above one of two positives: an area of 3/4."""
    positive = np.array([0.9, 0.4, 0.6, 0.1])
    probabilities = np.stack([positive, 1 - positive], axis=1)
    drawn = training_charts.class_curves(
        tmp_path / "c.png", np.array([0, 0, 1, 1]), probabilities, ["a", "b"]
    )
    roc = drawn.axes[0].get_lines()[0]
    assert roc.get_xdata().tolist() == [0, 0, 0.5, 0.5, 1]
    assert roc.get_ydata().tolist() == [0, 0.5, 0.5, 1, 1]
    assert "a 0.750" in [text.get_text() for text in texts(drawn)]
