import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.training.recipe import OPTIMIZERS, SCHEDULES, Recipe


def compiled(**options: object) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    Recipe(**options).compile(model, steps=10)
    return model


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_have_keras_names(name: str) -> None:
    assert type(compiled(optimizer=name).optimizer).__name__ == name


def test_a_cosine_rises_and_falls_to_zero() -> None:
    rate = compiled(epochs=4, learning_rate=0.2, schedule="CosineDecay", warmup_epochs=1.0)
    schedule = rate.optimizer._learning_rate
    assert [float(schedule(step)) for step in (0, 5, 10)] == pytest.approx([0, 0.1, 0.2])
    assert float(schedule(25)) == pytest.approx(0.1)  # half-way through the 30 steps that are left
    assert float(schedule(40)) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(("name", "last"), [("PolynomialDecay", 0.0), ("ExponentialDecay", 0.002)])
def test_schedules_go_over_the_whole_run(name: str, last: float) -> None:
    schedule = compiled(epochs=4, learning_rate=0.2, schedule=name).optimizer._learning_rate
    assert float(schedule(0)) == pytest.approx(0.2)
    assert float(schedule(40)) == pytest.approx(last, abs=1e-8)


def test_options_reach_the_optimizer_and_the_loss() -> None:
    model = compiled(optimizer="AdamW", weight_decay=0.03, clipnorm=0.7, label_smoothing=0.3)
    assert (model.optimizer.weight_decay, model.optimizer.clipnorm) == (0.03, 0.7)
    truth, guess = np.array([[1.0, 0, 0]]), np.array([[0.5, 0.25, 0.25]])
    expected = -(0.8 * np.log(0.5) + 0.1 * np.log(0.25) * 2)  # 0.7 + 0.3 / 3, and 0.3 / 3 twice
    assert float(model.loss(truth, guess)) == pytest.approx(expected, rel=1e-5)
    assert compiled(optimizer="SGD", momentum=0.8).optimizer.momentum == 0.8


def test_names_there_are_not_are_one_line() -> None:
    with pytest.raises(ConvscopeError, match="did you mean Adam"):
        compiled(optimizer="Adamm")
    with pytest.raises(ConvscopeError, match="did you mean CosineDecay"):
        compiled(schedule="Cosine")
    assert SCHEDULES
