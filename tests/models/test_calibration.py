import json
import math

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from convscope.models.calibration import Calibration, coverage_of, scaled


def simulated(count: int, *, sharper: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities of five classes, with logits `sharper` times the right ones, and labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, 5))
    labels = (softmax(logits, axis=1).cumsum(1) < rng.random((count, 1))).sum(1)
    return softmax(sharper * logits, axis=1), labels


def test_scaled_probabilities_by_hand() -> None:
    # odds of 9 : 1 become 3 : 1 if the logits are halved
    assert scaled(np.array([[0.9, 0.1]]), 2.0) == pytest.approx(np.array([[0.75, 0.25]]))
    logits = np.random.default_rng(0).normal(0, 5, (20, 4))
    expected = softmax(logits / 1.7, axis=1)
    np.testing.assert_allclose(scaled(softmax(logits, axis=1), 1.7), expected, atol=1e-12)
    assert scaled(np.array([[0.0, 1.0]]), 2.0)[0, 0] == pytest.approx(
        2**-12.5, rel=1e-3
    )  # 2^-25 is the least


def test_the_temperature_is_that_of_the_simulation_and_minimizes_the_loss() -> None:
    probabilities, labels = simulated(20_000, sharper=2.5, seed=0)
    fitted = Calibration.fit(probabilities, labels)
    assert fitted.temperature == pytest.approx(2.5, rel=0.05)
    logits = np.log(probabilities)

    def loss(temperature: float) -> float:
        return -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean()

    grid = np.linspace(0.5, 5, 200)
    assert loss(fitted.temperature) <= min(map(loss, grid)) + 1e-6
    assert (fitted.apply(probabilities).argmax(1) == probabilities.argmax(1)).all()


@pytest.mark.parametrize(("count", "expected"), [(2, 2.0), (8, 1.0), (80, 0.5)])
def test_without_a_wrong_prediction_the_number_of_images_limits_the_temperature(
    count: int, expected: float
) -> None:
    """By hand: all images have odds of 9 : 1; the targets have (n + 1) : 1, so T = ln 9 / ln (n + 1)."""
    fitted = Calibration.fit(np.tile([0.9, 0.1], (count, 1)), np.zeros(count, int))
    assert fitted.temperature == pytest.approx(expected, rel=1e-4)
    assert fitted.true_class[0] == pytest.approx((count + 1) / (count + 2), rel=1e-4)


def test_one_wrong_prediction_does_not_make_all_others_certain() -> None:
    probabilities = np.tile([0.999, 0.001], (450, 1))
    labels = (np.arange(450) == 0).astype(int)
    fitted = Calibration.fit(probabilities, labels)
    # by hand: the mean target of the first class is (449 · 451 + 1) / (450 · 452)
    mean = (449 * 451 + 1) / (450 * 452)
    assert fitted.apply(probabilities)[0, 0] == pytest.approx(mean, rel=1e-5)


def test_sets_by_hand() -> None:
    # of 9 validation images, (9 + 1) · 0.2 = 2 may be missed: the least probability is the second lowest
    calibration = Calibration(1.0, tuple(np.linspace(0.1, 0.9, 9)))
    probabilities = np.array([[0.5, 0.3, 0.2], [0.85, 0.1, 0.05], [0.19, 0.6, 0.21]])
    expected = [[True, True, True], [True, False, False], [False, True, True]]
    assert calibration.sets(probabilities, 0.8).tolist() == expected
    assert calibration.sets(probabilities, 0.91).all()  # (9 + 1) · 0.09 < 1: nothing may be missed
    assert calibration.sets(probabilities, 0).sum() == 3  # only the most probable class of each
    assert calibration.sets(np.array([[0.4, 0.35, 0.25]]), 0.1).tolist() == [
        [True, False, False]
    ]  # never empty


def test_sets_cover_simulated_data_as_promised() -> None:
    covered, size = [], []
    for seed in range(200):
        probabilities, labels = simulated(300, sharper=1.8, seed=seed)
        calibration = Calibration.fit(probabilities[:200], labels[:200])
        sets = calibration.sets(probabilities[200:], 0.9)
        result = coverage_of(sets, labels[200:], list("abcde"))
        covered.append(result["coverage"])
        size.append(result["mean_size"])
    assert 0.895 < np.mean(covered) < 0.925  # of 20,000 examples; the standard error of the mean is 0.003
    assert 1 < np.mean(size) < 5


def test_equal_probabilities_are_all_covered() -> None:
    """A network that is always sure gives few different probabilities; rounding must not exclude them."""
    labels = np.zeros(1000, int)
    probabilities = np.tile([1 - 1 / 3e7, 1 / 3e7], (1000, 1))
    probabilities[:80] = probabilities[:80, ::-1]  # 8 % sure errors
    calibration = Calibration.fit(probabilities, labels)
    assert coverage_of(calibration.sets(probabilities, 0.95), labels, ["a", "b"])["coverage"] == 1
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert again == calibration


def test_coverage_by_hand() -> None:
    sets = np.array([[True, False], [True, True], [False, True], [True, False]])
    result = coverage_of(sets, np.array([0, 0, 0, 0]), ["a", "b"])
    assert result == {"coverage": 0.75, "mean_size": 1.25, "single": 0.75, "classes": {"a": 0.75, "b": None}}


def test_a_calibration_is_the_same_after_writing_and_reading() -> None:
    fitted = Calibration.fit(*simulated(3000, sharper=2, seed=1))
    assert len(fitted.true_class) == 2000
    assert Calibration.from_json(fitted.to_json()) == fitted
    assert Calibration.from_json(None) is None
    for wrong in (
        {}, [], {"temperature": 0, "true_class": [0.5]}, {"temperature": math.nan, "true_class": [0.5]},
        {"temperature": 1, "true_class": []}, {"temperature": 1, "true_class": [2]},
        {"temperature": 1, "true_class": [0.5], "variants": "flip"},
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            Calibration.from_json(wrong)
