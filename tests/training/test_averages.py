import math
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.training.averages import averaged
from convscope.training.callbacks import KeepBest, ReportEpochs, lowest_loss
from convscope.training.evaluate import evaluate
from convscope.training.loop import fit
from convscope.training.recipe import Recipe
from tests.training.test_loop import Points, linear_model, options


class Noisy(Points):
    """Points with wrong labels: a random third of each batch."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        points, labels = super().__getitem__(index)
        wrong = np.random.default_rng([self.epoch, index]).random(len(labels)) < 1 / 3
        return points, np.where(wrong[:, None], 1 - labels, labels)


class OneUnit(Points):
    """Points with one label for the second class, for a model with one sigmoid unit."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        points, labels = super().__getitem__(index)
        return points, labels[:, 1:]


def one_weight() -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].set_weights([np.zeros((1, 1), np.float32)])
    return model


def test_the_average_by_hand() -> None:
    """With a gradient of -1 and a rate of 1, the weight is 1, 2, 3; its average with momentum 0.5 follows."""
    model = one_weight()
    Recipe(optimizer="SGD", learning_rate=1.0, ema=0.5).compile(model, 3)
    for _ in range(3):
        model.optimizer.apply([np.array([[-1.0]], np.float32)], model.trainable_variables)
    with averaged(model):
        assert model.get_weights()[0] == pytest.approx(0.5 * (0.5 * 1 + 0.5 * 2) + 0.5 * 3)
    assert model.get_weights()[0] == 3


def test_weights_are_restored_bit_for_bit_after_an_error() -> None:
    model = linear_model()
    Recipe(ema=0.9).compile(model, 1)
    model.optimizer.build(model.trainable_variables)
    before = model.get_weights()
    with pytest.raises(ValueError, match="stop"), averaged(model):
        raise ValueError("stop")
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_better_one_of_weights_and_average_is_saved(tmp_path: Path) -> None:
    saved: list[list[np.ndarray]] = []
    model = linear_model()
    best = KeepBest(lambda improved: saved.append([weight.copy() for weight in improved.get_weights()]))
    # wrong labels and a high rate let the weights jump about; their average is calmer
    settings = options(tmp_path, optimizer="SGD", learning_rate=10.0, ema=0.8, epochs=8)
    rows = fit(model, Noisy(), Noisy(), **settings, best=best)
    losses = {(row["epoch"], name): row[name] for row in rows for name in ("val_loss", "average_val_loss")}
    lowest = min(losses, key=lambda key: losses[key])
    assert lowest[1] == "average_val_loss"
    assert best.best == losses[lowest] == min(map(lowest_loss, rows))
    assert best.kept == f"moving average after epoch {lowest[0]}"
    model.set_weights(saved[-1])
    assert model.evaluate(Noisy(), verbose=0, return_dict=True)["loss"] == pytest.approx(best.best, rel=1e-5)
    header = (tmp_path / "history.csv").read_text().splitlines()[0]
    assert header.endswith("learning_rate,average_val_loss,average_val_accuracy")


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("ema", [None, 0.8])
def test_a_search_gets_losses_without_label_smoothing(tmp_path: Path, units: int, ema: float | None) -> None:
    reported: list[float] = []
    expected: list[float] = []
    validation = Points() if units == 2 else OneUnit()

    class Measure(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            losses = [evaluate(self.model, validation).loss]
            if ema:
                with averaged(self.model):
                    losses.append(evaluate(self.model, validation).loss)
            expected.append(min(losses))

    keras.utils.set_random_seed(0)
    last = keras.layers.Dense(units, activation="softmax" if units == 2 else "sigmoid")
    extra = [ReportEpochs(lambda epoch, loss, is_last: reported.append(loss), 3, 0), Measure()]
    settings = options(tmp_path, epochs=3, label_smoothing=0.4, ema=ema)
    rows = fit(
        keras.Sequential([keras.Input((2,)), last]), validation, validation, **settings,
        best=KeepBest(lambda model: None), extra=extra,
    )  # fmt: skip
    assert reported == pytest.approx(expected, rel=1e-4)
    assert [lowest_loss(row) for row in rows] != pytest.approx(expected, rel=1e-3)
    assert "cross_entropy" not in (tmp_path / "history.csv").read_text()


def test_an_average_does_not_change_the_training(tmp_path: Path) -> None:
    weights = []
    for name, ema in (("with", 0.9), ("without", None)):
        model = linear_model()
        last: list[list[np.ndarray]] = []

        class Keep(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
                last[:] = [self.model.get_weights()]  # noqa: B023

        settings = options(tmp_path / name, ema=ema)
        fit(model, Points(), Points(), **settings, best=KeepBest(lambda _: None), extra=[Keep()])
        weights.append(last[0])
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_cosine_ends_at_its_floor() -> None:
    model = one_weight()
    Recipe(schedule="CosineDecay", learning_rate=0.5, alpha=0.1, epochs=2, warmup_epochs=1).compile(model, 10)
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 10, 20, 30)]
    assert rates == pytest.approx([0, 0.5, 0.05, 0.05])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ema": 1.0}, "training.ema"),
        ({"alpha": 2.0}, "training.alpha"),
        ({"optimizer": "SGD", "momentum": 9.0}, "training.momentum"),
        ({"alpha": 0.1}, "needs training.sch"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConvscopeError, match=message):
        Recipe(**settings)


def test_the_lowest_loss_of_an_epoch() -> None:
    assert lowest_loss({"val_loss": 0.5}) == 0.5
    assert lowest_loss({"val_loss": 0.5, "average_val_loss": 0.4}) == 0.4
    assert lowest_loss({"val_loss": math.nan, "average_val_loss": 0.4}) == 0.4
    assert math.isnan(lowest_loss({"val_loss": math.nan}))
