import numpy as np

from convscope.data.label_errors import Suspect, cross_validated, suspects


def test_suspects_by_hand() -> None:
    """The thresholds are (0.9 + 0.7 + 0.1) / 3 = 0.567 for class 0 and (0.8 + 0.6) / 2 = 0.7 for class 1."""
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6]])
    labels = np.array([0, 0, 0, 1, 1])
    assert suspects(probabilities, labels) == [Suspect(2, 1, 0.1, 0.9)]
    # at 0.65 the third is below the threshold (0.8 + 0.6) / 2 of class 1: not confident
    probabilities[2] = [0.35, 0.65]
    assert suspects(probabilities, labels) == []


def test_the_most_confident_suspect_comes_first() -> None:
    probabilities = np.array([[0.8, 0.2], [0.2, 0.8], [0.05, 0.95], [0.1, 0.9], [0.7, 0.3]])
    labels = np.array([0, 0, 0, 1, 1])
    assert [each.index for each in suspects(probabilities, labels)] == [2, 1, 4]


def test_flipped_labels_are_found_by_a_classifier_trained_on_noisy_labels() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 60)
    features = rng.normal(0, 1, (180, 8)) + 6 * np.eye(3, 8)[truth]
    labels = truth.copy()
    flipped = np.array([5, 70, 130, 131])
    labels[flipped] = (truth[flipped] + 1) % 3
    found = suspects(cross_validated(features.astype(np.float32), labels), labels)
    assert {each.index for each in found[:4]} == set(flipped)
    assert all(each.suggested == truth[each.index] for each in found[:4])
    assert len(found) <= 8
