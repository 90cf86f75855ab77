from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.graph import copied
from convscope.models import small_convnet
from convscope.training.precision import fastest, in_precision, known_to_hardware
from convscope.training.recipe import Recipe


def net() -> keras.Model:
    keras.utils.set_random_seed(0)
    return small_convnet.build(3, input_size=24, widths=(4, 6), units=5, batch_normalization=True)


def test_the_copy_computes_in_that_precision_and_gives_its_weights_back_in_float32(tmp_path: Path) -> None:
    model = net()
    copy = in_precision(model, "mixed_bfloat16")
    x = np.random.default_rng(0).uniform(0, 1, (4, 24, 24, 3)).astype(np.float32)
    assert copy.get_layer("conv2d_1").compute_dtype == "bfloat16"
    assert copy.layers[-1].compute_dtype == "float32"
    np.testing.assert_allclose(copy(x), model(x), atol=0.02)
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


def test_trying_leaves_the_model_as_it_is_and_knows_what_there_is() -> None:
    model = net()
    before = [each.copy() for each in model.get_weights()]
    batch = np.zeros((2, 24, 24, 3), np.float32), np.eye(3, dtype=np.float32)[[0, 1]]
    chosen, seconds = fastest(model, batch, lambda trial: Recipe().compile(trial, 1))
    assert list(seconds) == known_to_hardware()
    assert chosen in seconds
    assert all(each > 0 for each in seconds.values())
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_bias_learns_from_every_place() -> None:
    """The gradient of the sum of all maps is, for a bias, the number of places: 9 pictures of 62 x 62."""
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


def test_a_copy_normalises_with_what_the_model_was_adapted_to() -> None:
    """As EfficientNet does with its ImageNet weights; `set_weights` alone leaves the copy at mean 0."""
    rng = np.random.default_rng(0)
    inputs = keras.Input((4, 4, 3))
    normal = keras.layers.Normalization()
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(normal(inputs))))
    normal.adapt(rng.uniform(3, 8, (50, 4, 4, 3)))
    x = rng.uniform(3, 8, (2, 4, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(in_precision(model, "mixed_bfloat16")(x), model(x), atol=0.05)
    np.testing.assert_array_equal(copied(model)(x), model(x))
