from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.graph import copied
from convscope.models import small_convnet
from convscope.training.precision import choose, fastest, in_precision, known_to_hardware
from convscope.training.recipe import Recipe


def net() -> keras.Model:
    keras.utils.set_random_seed(0)
    return small_convnet.build(3, input_size=24, widths=(4, 6), units=5, batch_normalization=True)


def test_the_copy_computes_in_the_precision_and_its_weights_are_saved_in_float32(tmp_path: Path) -> None:
    model = net()
    copy = in_precision(model, "mixed_bfloat16")
    x = np.random.default_rng(0).uniform(0, 1, (4, 24, 24, 3)).astype(np.float32)
    assert copy.get_layer("conv2d_1").compute_dtype == "bfloat16"
    assert copy.layers[-1].compute_dtype == "float32"
    np.testing.assert_allclose(copy(x), model(x), atol=0.02)
    assert not np.array_equal(copy(x), model(x))  # bfloat16 rounds
    Recipe().compile(copy, 1)
    copy.train_on_batch(x, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]])
    model.set_weights(copy.get_weights())
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in opened.layers} == {"float32"}
    np.testing.assert_array_equal(opened(x), model(x))
    np.testing.assert_allclose(opened(x), copy(x), atol=0.02)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_model_is_saved_without_the_optimizer_that_trained_it(tmp_path: Path, precision: str) -> None:
    model = net()
    trained = in_precision(model, precision)
    Recipe().compile(trained, 1)
    x = np.random.default_rng(0).uniform(0, 1, (4, 24, 24, 3)).astype(np.float32)
    trained.train_on_batch(x, np.eye(3, dtype=np.float32)[[0, 1, 2, 0]])
    model.set_weights(trained.get_weights())
    model.save(tmp_path / "model.keras")
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert not opened.compiled
    for ours, theirs in zip(opened.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_float32_trains_the_weights_of_the_model_itself() -> None:
    model = net()
    trained = in_precision(model, "float32")
    assert all(weight is ours for weight, ours in zip(trained.weights, model.weights, strict=True))


def test_each_supported_precision_is_measured_without_changing_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = net()
    before = [weight.copy() for weight in model.get_weights()]
    batch = np.zeros((2, 24, 24, 3), np.float32), np.eye(3, dtype=np.float32)[[0, 1]]
    supported = ["float32", "mixed_bfloat16", "mixed_float16"]  # on any machine, perhaps emulated
    monkeypatch.setattr("convscope.training.precision.known_to_hardware", lambda: supported)
    computed_in = []

    def compile_and_record(trial: keras.Model) -> None:
        computed_in.append(trial.get_layer("conv2d_1").compute_dtype)
        Recipe().compile(trial, 1)

    chosen, seconds = fastest(model, batch, compile_and_record)
    assert computed_in == ["float32", "bfloat16", "float16"]
    assert list(seconds) == supported
    assert chosen == choose(seconds)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_precision_that_does_not_fit_into_memory_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greedy(keras.optimizers.SGD):
        """Fails like an allocation that is too large."""

        def apply(self, *_: object, **__: object) -> None:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating a tensor")

    def compile_model(trial: keras.Model) -> None:
        fits = trial.get_layer("conv2d_1").compute_dtype != "float32"
        trial.compile(keras.optimizers.SGD() if fits else Greedy(), "mse", run_eagerly=True)

    supported = ["float32", "mixed_bfloat16"]
    monkeypatch.setattr("convscope.training.precision.known_to_hardware", lambda: supported)
    batch = np.zeros((2, 24, 24, 3), np.float32), np.eye(3, dtype=np.float32)[[0, 1]]
    chosen, seconds = fastest(net(), batch, compile_model)
    assert (chosen, list(seconds)) == ("mixed_bfloat16", ["mixed_bfloat16"])


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"float32": 1.0}, "float32"),
        ({"float32": 1.0, "mixed_bfloat16": 0.5}, "mixed_bfloat16"),
        ({"float32": 1.0, "mixed_bfloat16": 0.95}, "float32"),  # less than 10 % faster
        ({"float32": 1.0, "mixed_float16": 0.4, "mixed_bfloat16": 0.5}, "mixed_float16"),
        ({"float32": 1.0, "mixed_bfloat16": 2.0}, "float32"),
        ({"mixed_float16": 1.0}, "mixed_float16"),  # the others do not fit into memory
        ({}, "float32"),
    ],
)
def test_the_fastest_precision_is_chosen_if_it_is_a_tenth_faster(
    seconds: dict[str, float], chosen: str
) -> None:
    assert choose(seconds) == chosen


def test_float32_is_always_supported_and_first() -> None:
    assert known_to_hardware()[0] == "float32"


def test_the_gradient_of_a_bias_sums_over_all_positions() -> None:
    """The gradient of the sum of all maps with respect to a bias is the number of positions, 9 x 62 x 62."""
    inputs = keras.Input((64, 64, 3))
    maps = keras.layers.Conv2D(4, 3, name="biased")(inputs)
    model = keras.Model(inputs, keras.layers.Flatten()(maps))
    x = np.random.default_rng(0).uniform(0, 1, (9, 64, 64, 3)).astype(np.float32)
    for precision in ("float32", "mixed_bfloat16"):
        network = in_precision(model, precision)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.cast(network(x), tf.float32))
        bias = tape.gradient(total, network.get_layer("biased").bias)
        np.testing.assert_allclose(bias, 9 * 62 * 62, rtol=0.01)


def test_a_copy_keeps_the_statistics_of_a_normalization_layer() -> None:
    """EfficientNet has such a layer; `set_weights` alone leaves the mean of the copy at 0."""
    rng = np.random.default_rng(0)
    inputs = keras.Input((4, 4, 3))
    normal = keras.layers.Normalization()
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(normal(inputs))))
    normal.adapt(rng.uniform(3, 8, (50, 4, 4, 3)))
    x = rng.uniform(3, 8, (2, 4, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(in_precision(model, "mixed_bfloat16")(x), model(x), atol=0.05)
    np.testing.assert_array_equal(copied(model)(x), model(x))
