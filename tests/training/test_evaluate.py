from pathlib import Path

import keras
import numpy as np

from convscope.data.pipeline import Batches, Examples
from convscope.images import save_png
from convscope.models import small_convnet
from convscope.preprocessing import by_name
from convscope.training.evaluate import evaluate, score


def test_a_score_by_hand() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]])
    result = score(probabilities, np.array([0, 1, 1]))
    assert result.loss == -(np.log(0.5) + np.log(0.8) + np.log(0.3)) / 3
    assert result.accuracy == 2 / 3
    assert result.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_it_agrees_with_keras(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(11):
        save_png(tmp_path / f"{index:02}.png", rng.integers(0, 255, (20, 20, 3)).astype(np.uint8))
    examples = Examples(sorted(tmp_path.iterdir()), rng.integers(0, 3, 11), ["a", "b", "c"])
    data = Batches(examples, size=(20, 20), preprocessing=by_name("unit_range"), batch_size=4)
    keras.utils.set_random_seed(0)
    model = small_convnet.build(3, input_size=20, widths=(4,), units=8)
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(data, verbose=0)
    ours = evaluate(model, data)
    np.testing.assert_allclose([ours.loss, ours.accuracy], [loss, accuracy], rtol=1e-5)
    assert ours.confusion.sum() == 11
