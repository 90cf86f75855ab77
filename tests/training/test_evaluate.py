from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.data.pipeline import Batches, LabelledImages
from convscope.images import save_png
from convscope.models import small_convnet
from convscope.preprocessing import by_name
from convscope.training.evaluate import Evaluation, evaluate

THREE = Evaluation(
    np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]]),
    np.array([0, 1, 1]),
)


def test_scores_equal_values_computed_by_hand() -> None:
    assert pytest.approx(-(np.log(0.5) + np.log(0.8) + np.log(0.3)) / 3) == THREE.loss
    assert THREE.accuracy == 2 / 3
    assert THREE.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert THREE.top_accuracy(2) == 1
    assert THREE.constant_answer == (1, 2 / 3)
    # the confidences 0.5, 0.8 and 0.6 are in three bins; correct, correct, wrong
    assert pytest.approx((0.5 + 0.2 + 0.6) / 3) == THREE.calibration_error


def test_class_scores_equal_values_computed_by_hand() -> None:
    scores = THREE.class_scores(["a", "b", "c"])
    assert scores["a"]["precision"] == 0.5
    assert scores["a"]["recall"] == 1
    assert scores["b"]["precision"] == 1
    assert scores["b"]["recall"] == 0.5
    assert scores["b"]["f1"] == pytest.approx(2 / 3)
    assert scores["b"]["roc_auc"] == 1  # 0.8 and 0.3 above 0.25
    assert scores["a"]["roc_auc"] == 0.5  # 0.5 is above 0.1 and below 0.6
    assert scores["c"] == {
        "precision": 0, "recall": None, "f1": None, "support": 0, "roc_auc": None, "average_precision": None,
    }  # fmt: skip
    # a class without examples does not lower the mean: F1 is 2/3 for both others
    assert THREE.summary(["a", "b", "c"])["macro_f1"] == pytest.approx(2 / 3)


def test_the_interval_contains_the_accuracy_and_shrinks_with_more_examples() -> None:
    widths = []
    for count in (100, 10_000):
        labels = np.zeros(count, int)
        right = np.arange(count) % 10 > 0
        probabilities = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
        low, high = Evaluation(probabilities, labels).accuracy_interval
        assert low < 0.9 < high
        widths.append(high - low)
    assert widths[0] == pytest.approx(2 * 1.96 * np.sqrt(0.9 * 0.1 / 100), rel=0.15)
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.2)


def test_a_calibrated_model_has_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200_000)
    labels = (rng.uniform(size=len(confidence)) > confidence).astype(int)
    calibrated = Evaluation(np.column_stack([confidence, 1 - confidence]), labels)
    assert calibrated.calibration_error < 0.005
    overconfident = Evaluation(np.column_stack([np.ones_like(confidence), np.zeros_like(confidence)]), labels)
    assert overconfident.calibration_error == pytest.approx(0.25, abs=0.01)


def test_loss_and_accuracy_agree_with_keras(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(11):
        save_png(tmp_path / f"{index:02}.png", rng.integers(0, 255, (20, 20, 3)).astype(np.uint8))
    examples = LabelledImages(sorted(tmp_path.iterdir()), rng.integers(0, 3, 11), ["a", "b", "c"])
    data = Batches(examples, size=(20, 20), preprocessing=by_name("unit_range"), batch_size=4)
    keras.utils.set_random_seed(0)
    model = small_convnet.build(3, input_size=20, widths=(4,), units=8)
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(data, verbose=0)
    ours = evaluate(model, data)
    np.testing.assert_allclose([ours.loss, ours.accuracy], [loss, accuracy], rtol=1e-5)
    assert ours.confusion.sum() == 11
