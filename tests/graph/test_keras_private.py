"""One test for each private API of Keras: after an upgrade of Keras, a failure shows what changed."""

import keras
import numpy as np

from convscope.graph.keras_private import call_of, calls_forgotten, shallow_copy

PICTURES = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32)


def test_a_tensor_knows_its_call() -> None:
    inputs = keras.Input((5, 5, 3), name="pixels")
    layer = keras.layers.Conv2D(2, 3)
    first, second = layer(inputs), layer(inputs, training=False)
    call = call_of(second)
    assert call.operation is layer
    assert call.args[0] is call.inputs[0] is inputs
    assert call.kwargs == {"training": False}
    assert call.outputs[0] is second
    assert call_of(first).key != call.key == call_of(second).key
    assert (call_of(inputs).operation.name, call_of(inputs).inputs) == ("pixels", [])
    power = call_of(keras.ops.power(first, 2.0))
    assert (power.args[1], type(power.operation).__name__) == (2.0, "Power")


def test_a_shallow_copy_shares_weights_and_records_its_own_calls() -> None:
    inputs = keras.Input((5, 5, 3))
    layer = keras.layers.Conv2D(2, 3, activation="relu")
    model = keras.Model(inputs, layer(inputs))
    copy = shallow_copy(layer)
    again = keras.Model(inputs, copy(inputs))
    np.testing.assert_array_equal(again(PICTURES), model(PICTURES))
    assert [id(weight) for weight in again.weights] == [id(weight) for weight in model.weights]
    assert layer.output is model.outputs[0]  # raises AttributeError if the copy's call is among its own
    assert copy.output is again.outputs[0]
    model.set_weights([weight + 1 for weight in model.get_weights()])
    np.testing.assert_array_equal(again(PICTURES), model(PICTURES))
    copy.name = "other"
    assert layer.name != "other"


def test_calls_are_forgotten() -> None:
    layer = keras.layers.Conv2D(2, 3)
    inputs = keras.Input((5, 5, 3))
    first = layer(inputs)
    with calls_forgotten([layer]):
        keras.layers.ReLU()(layer(inputs))
    assert len(layer._inbound_nodes) == 1
    assert not layer._outbound_nodes
    assert call_of(first).outputs[0] is first
