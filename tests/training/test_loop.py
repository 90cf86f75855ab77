import csv
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.training.loop import fit


class Points(keras.utils.PyDataset):
    """Two clouds of points that a line tells apart; from epoch `spoil_at` on the labels are swapped."""

    def __init__(self, spoil_at: int = 10**9):
        super().__init__(workers=1)
        self.epoch = 0
        self.spoil_at = spoil_at

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.epoch, index])
        labels = rng.integers(0, 2, 16)
        points = rng.normal(0, 0.3, (16, 2)) + np.where(labels, 1, -1)[:, None]
        wrong = self.epoch >= self.spoil_at
        return points.astype(np.float32), np.eye(2, dtype=np.float32)[1 - labels if wrong else labels]


def linear_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])


def options(tmp_path: Path) -> dict:
    return {"epochs": 5, "learning_rate": 0.1, "history": tmp_path / "history.csv"}


def test_the_best_epoch_is_kept_and_not_the_last(tmp_path: Path) -> None:
    saved: list[np.ndarray] = []
    model = linear_model()
    rows = fit(
        model,
        Points(spoil_at=3),
        Points(),
        **options(tmp_path),
        save=lambda each: saved.append(each.get_weights()[0].copy()),
    )
    losses = [row["val_loss"] for row in rows]
    assert 0 < int(np.argmin(losses)) == len(saved) - 1 < 4
    assert not np.array_equal(saved[-1], model.get_weights()[0])
    with (tmp_path / "history.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in written] == losses
    assert [row["epoch"] for row in written] == ["1", "2", "3", "4", "5"]


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    weights = []
    for _ in range(2):
        model = linear_model()
        fit(model, Points(), Points(), **options(tmp_path), save=lambda _: None)
        weights.append(model.get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_ctrl_c_says_what_is_kept(tmp_path: Path) -> None:
    saved = []

    def save_and_interrupt(model: keras.Model) -> None:
        saved.append(model)
        if len(saved) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="1 of 5 epochs are done, the best model so far is saved in"):
        fit(linear_model(), Points(), Points(), **options(tmp_path), save=save_and_interrupt)


def test_a_loss_that_never_was_a_number_is_an_error(tmp_path: Path) -> None:
    settings = options(tmp_path) | {"learning_rate": float("inf"), "epochs": 1}
    with pytest.raises(ConvscopeError, match="never a finite number"):
        fit(linear_model(), Points(), Points(), **settings, save=lambda _: None)
