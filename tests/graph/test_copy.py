import keras
import numpy as np

from convscope.graph import flatten, fresh_weights


def network() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    normalization = keras.layers.Normalization(mean=None, variance=None)
    normalization.build(inputs.shape)
    normalization.set_weights([np.array([1.0, 2, 3]), np.array([4.0, 5, 6]), np.array(9)])
    normalization.finalize_state()
    x = keras.layers.Conv2D(4, 3, kernel_initializer="he_normal", bias_initializer="ones")(
        normalization(inputs)
    )
    x = keras.layers.BatchNormalization()(x + 1)
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Normalization):
            layer.set_weights([weight + 7 for weight in layer.get_weights()])
    return model


def test_fresh_weights_come_from_the_initializers() -> None:
    model = flatten(network()).model
    before = model.get_weights()
    fresh = fresh_weights(model, 3)
    names = [f"{weight.name}{len(weight.shape)}" for weight in model.weights]
    of = dict(zip(names, fresh, strict=True))
    np.testing.assert_array_equal(of["mean1"], [1, 2, 3])  # state of the data, not trained
    np.testing.assert_array_equal(of["moving_mean1"], 0)
    np.testing.assert_array_equal(of["moving_variance1"], 1)
    np.testing.assert_array_equal(of["gamma1"], 1)
    kernel = of["kernel4"]
    assert abs(kernel.std() / np.sqrt(2 / 27) - 1) < 0.25  # He initialization: sqrt(2 / 27 inputs)
    assert not np.array_equal(kernel, before[3])
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_fresh_weights_depend_on_the_seed_only() -> None:
    model = flatten(network()).model
    one, again, other = (fresh_weights(model, seed) for seed in (0, 0, 1))
    for first, second in zip(one, again, strict=True):
        np.testing.assert_array_equal(first, second)
    assert any(not np.array_equal(first, second) for first, second in zip(one, other, strict=True))


def test_fresh_weights_differ_from_the_initial_weights_of_a_training_with_the_same_seed() -> None:
    keras.utils.set_random_seed(5)
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs))
    assert not np.array_equal(fresh_weights(model, 5)[0], model.get_weights()[0])
