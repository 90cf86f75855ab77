import keras
import pytest

from convscope.training import memory


def net() -> keras.Model:
    inputs = keras.Input((10, 10, 3))  # is fed, and not kept
    x = keras.layers.Conv2D(4, 3, use_bias=False)(inputs)  # 8·8·4 = 256 numbers, 108 weights
    x = keras.layers.BatchNormalization()(x)  # is not kept; 8 weights that train, 8 that do not
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x))  # 514 weights


def test_by_hand() -> None:
    """Weights, their gradients and two slots of Adam; the outputs of a batch, twice, in 4 or 2 bytes."""
    fixed = memory.needed(net(), 0)
    assert fixed - memory.needed(net(), 0, slots=0) == 4 * 2 * (108 + 8 + 514)
    outputs = 256 + 256 + 2 + 2 * 300
    assert memory.needed(net(), 7) - fixed == 7 * 2 * 4 * outputs
    assert memory.needed(net(), 7, half=True) - fixed == 7 * 2 * 2 * outputs


def test_outputs_below_what_trains_are_not_kept() -> None:
    model = net()
    for layer in model.layers[:-1]:
        layer.trainable = False
    assert memory.needed(model, 1) - memory.needed(model, 0) == 2 * 4 * (2 + 2 * 300)


@pytest.mark.skipif(memory.available() is None, reason="the system does not say what is free")
def test_what_is_free_is_a_part_of_what_there_is() -> None:
    import os

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.available() <= total
