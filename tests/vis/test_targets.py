import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.vis.class_activation.targets import Target, resolve

SCORES = {"rose": 0.2, "cat-fish": 0.5, "cat": 0.3, "2": 0.0}


def titles(*choices: str, truth: str | None = "rose") -> list[str]:
    return [f"{target.role}: {target.title}" for target in resolve(choices, SCORES, truth)]


def test_predicted_and_true_classes() -> None:
    assert titles("predicted", "true") == ["predicted: cat-fish", "true: rose"]
    assert titles("predicted", "true", truth="cat-fish") == ["predicted: cat-fish"]
    assert titles("True") == ["true: rose"]  # what the command line makes of true
    assert titles("predicted", "true", truth=None) == ["predicted: cat-fish"]
    assert titles("true", truth="unknown to the model") == []


def test_names_come_before_indices_and_hyphens() -> None:
    assert titles("cat-fish") == ["chosen: cat-fish"]
    assert titles("2") == ["chosen: 2"]
    assert titles("0", "1") == ["chosen: rose", "chosen: cat-fish"]


def test_several_classes() -> None:
    assert titles("top:2") == ["chosen: cat-fish", "chosen: cat"]
    assert titles("top:9", "all") == ["chosen: cat-fish", "chosen: cat", "chosen: rose", "chosen: 2"]
    assert titles("all") == ["chosen: rose", "chosen: cat-fish", "chosen: cat", "chosen: 2"]


def test_differences() -> None:
    assert titles("cat-rose") == ["difference: cat − rose"]
    assert titles("cat-fish-cat") == ["difference: cat-fish − cat"]
    assert titles("predicted-true", "0-3") == ["difference: cat-fish − rose", "difference: rose − 2"]
    assert titles("predicted-true", truth="cat-fish") == []
    assert titles("predicted-true", truth=None) == []


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("ros", "no class 'ros': did you mean rose"),
        ("4", "no class '4'"),
        ("top:0", "no class 'top:0'"),
        ("rose-dog", "no class 'rose-dog'"),
        ("cat-cat", "expected two different classes"),
    ],
)
def test_unknown_classes_are_refused(choice: str, message: str) -> None:
    with pytest.raises(ConvscopeError, match=message):
        resolve([choice], SCORES, None)


def test_weights_of_the_logits_by_hand() -> None:
    classes = ["a", "b", "c"]
    np.testing.assert_array_equal(Target("chosen", "b").weights(classes, 3), [0, 1, 0])
    np.testing.assert_array_equal(Target("difference", "c", "a").weights(classes, 3), [-1, 0, 1])
    np.testing.assert_array_equal(Target("chosen", "a").weights(["a", "b"], 1), [-1])
    np.testing.assert_array_equal(Target("difference", "b", "a").weights(["a", "b"], 1), [2])
