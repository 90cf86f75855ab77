import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.errors import ConvscopeError
from convscope.models import small_convnet
from convscope.training.optimization_settings import OPTIMIZERS
from convscope.training.precision import in_precision
from convscope.training.recipe import Recipe


def compiled(**options: object) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    Recipe(**options).compile(model, steps=10)
    return model


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_listed_optimizer_exists_in_keras(name: str) -> None:
    assert type(compiled(optimizer=name).optimizer).__name__ == name


def test_cosine_decay_warms_up_and_falls_to_zero() -> None:
    rate = compiled(epochs=4, learning_rate=0.2, schedule="CosineDecay", warmup_epochs=1.0)
    schedule = rate.optimizer._learning_rate
    assert [float(schedule(step)) for step in (0, 5, 10)] == pytest.approx([0, 0.1, 0.2])
    assert float(schedule(25)) == pytest.approx(0.1)  # half of the remaining 30 steps
    assert float(schedule(40)) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(("name", "last"), [("PolynomialDecay", 0.0), ("ExponentialDecay", 0.002)])
def test_schedules_span_the_whole_run(name: str, last: float) -> None:
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


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConvscopeError, match="did you mean Adam"):
        compiled(optimizer="Adamm")
    with pytest.raises(ConvscopeError, match="did you mean CosineDecay"):
        compiled(schedule="Cosine")


def hidden_layer_with_small_gradients(precision: str) -> keras.Model:
    """The gradients of the hidden layer are about 1e-9: 0 in float16, whose smallest number is 6e-8."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(4, name="hidden"), keras.layers.Dense(3, activation="softmax")]
    )
    last = model.layers[-1]
    last.set_weights([last.get_weights()[0] * 1e-8, last.get_weights()[1]])
    return in_precision(model, precision)


def test_float16_scales_the_loss_so_that_small_gradients_survive() -> None:
    points, labels = np.ones((4, 2), np.float32), np.eye(3, dtype=np.float32)[[0, 0, 1, 0]]
    changes = {}
    for precision in ("float32", "mixed_float16"):
        model = hidden_layer_with_small_gradients(precision)
        Recipe(learning_rate=0.1).compile(model, steps=1)
        scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        assert scaled == (precision == "mixed_float16")
        before = model.get_layer("hidden").get_weights()[0]
        model.train_on_batch(points, labels)
        changes[precision] = model.get_layer("hidden").get_weights()[0] - before
    assert np.abs(changes["float32"]).min() > 0
    np.testing.assert_array_equal(np.sign(changes["mixed_float16"]), np.sign(changes["float32"]))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "float32"])
def test_other_precisions_do_not_scale_the_loss(precision: str) -> None:
    model = hidden_layer_with_small_gradients(precision)
    Recipe(optimizer="SGD").compile(model, steps=1)
    assert type(model.optimizer) is keras.optimizers.SGD


def test_accuracy_of_a_sigmoid_output_counts_mixed_labels_by_their_larger_share() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    model.set_weights([np.array([[1.0]]), np.array([0.0])])
    Recipe(learning_rate=0.0).compile(model, steps=1)
    points = np.array([[-2.0], [-1.0], [1.0], [2.0]], np.float32)
    labels = np.array([[0.0], [0.3], [0.2], [0.9]], np.float32)  # the third is wrong
    assert model.train_on_batch(points, labels, return_dict=True)["accuracy"] == pytest.approx(0.75)


@pytest.mark.parametrize("device", ["CPU", "GPU"])
def test_xla_compiles_steps_on_gpus_only(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [tf.config.PhysicalDevice("device:0", device)]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: devices)
    assert compiled().jit_compile == (device == "GPU")


def test_xla_computes_the_same_step() -> None:
    points = np.random.default_rng(0).normal(size=(6, 12, 12, 3)).astype(np.float32)
    weights = []
    for xla in (False, True):
        keras.utils.set_random_seed(0)
        model = small_convnet.build(2, input_size=12, widths=(3,), units=4, dropout=0.0)  # XLA drops others
        Recipe(learning_rate=0.01, optimizer="SGD").compile(model, steps=1)
        model.jit_compile = xla
        model.train_on_batch(points, np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 0, 1]])
        weights.append(model.get_weights())
    for plain, compiled_by_xla in zip(*weights, strict=True):
        np.testing.assert_allclose(compiled_by_xla, plain, atol=1e-5)
