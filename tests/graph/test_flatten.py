"""A zoo of models: each kind of Keras model as a flat graph, with the outputs of the model bit for bit."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.graph import (
    activation_of,
    as_probabilities,
    at_size,
    before_activation,
    flatten,
    fresh_weights,
)

SIZE = 12
PICTURES = np.random.default_rng(0).uniform(0, 1, (2, SIZE, SIZE, 3)).astype(np.float32)


def pixels(name: str = "pixels") -> keras.KerasTensor:
    return keras.Input((SIZE, SIZE, 3), name=name)


def trunk(name: str = "trunk") -> keras.Model:
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = keras.layers.BatchNormalization(name="normal")(x)
    skip = keras.layers.Conv2D(4, 1, name="skip")(x)
    x = keras.layers.Conv2D(4, 3, padding="same", name="second")(x)
    return keras.Model(inputs, keras.layers.Add(name="sum")([x, skip]), name=name)


def head(name: str = "head") -> keras.Sequential:
    layers = [keras.layers.GlobalAveragePooling2D(name="pool"), keras.layers.Dense(3, name="scores")]
    return keras.Sequential(layers, name=name)


def functional_in_functional() -> keras.Model:
    inputs = pixels()
    return keras.Model(inputs, head()(trunk()(inputs)))


def in_sequential() -> keras.Model:
    return keras.Sequential([pixels(), trunk(), keras.layers.Flatten(name="flat"), keras.layers.Dense(3)])


def three_deep() -> keras.Model:
    inputs, again = pixels(), pixels("again")
    middle = keras.Model(again, trunk()(keras.layers.Rescaling(2.0, name="twice")(again)), name="middle")
    return keras.Model(inputs, head()(middle(inputs)))


def shared() -> keras.Model:
    inputs, both = pixels(), trunk()
    pooled = keras.layers.GlobalMaxPooling2D(name="highest")
    first, second = pooled(both(inputs)), pooled(both(keras.layers.Rescaling(0.5, name="half")(inputs)))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Concatenate()([first, second])))


def with_operations() -> keras.Model:
    inputs = pixels()
    x = keras.ops.relu(trunk()(inputs) - 0.1)
    return keras.Model(inputs, keras.ops.softmax(head()(x)))


class Subclassed(keras.Model):
    """A model whose call only calls layers and operations of Keras."""

    def __init__(self, **options: object):
        super().__init__(**options)
        self.trunk, self.head = trunk(), head()

    def call(self, x: object) -> object:
        return self.head(keras.ops.relu(self.trunk(x)))


def subclassed() -> keras.Model:
    model = Subclassed(name="outer")
    model(PICTURES)
    return model


def subclassed_inside() -> keras.Model:
    inputs = pixels()
    return keras.Model(inputs, keras.layers.Softmax(name="shares")(Subclassed(name="inner")(inputs)))


TRUNK = ["first", "normal", "second", "skip", "sum"]
ZOO: dict[Callable[[], keras.Model], list[str]] = {
    functional_in_functional: ["pixels", *(f"trunk/{each}" for each in TRUNK), "head/pool", "head/scores"],
    in_sequential: ["pixels", *(f"trunk/{each}" for each in TRUNK), "flat", "dense"],
    three_deep: ["pixels", "middle/twice", *(f"middle/trunk/{each}" for each in TRUNK), "head/pool"],
    shared: ["half", "trunk/first", "trunk/first@2", "highest", "highest@2"],
    with_operations: ["trunk/sum", "head/scores"],
    subclassed: ["trunk/second", "head/scores"],
    subclassed_inside: ["inner/trunk/second", "inner/head/scores", "shares"],
}


def recorded_calls(model: keras.Model) -> dict[str, tuple[int, int]]:
    """Count the calls that Keras recorded on every layer and operation of a model at any depth."""
    counts = {}
    left = [("", model)]
    while left:
        prefix, operation = left.pop()
        path = f"{prefix}/{operation.name}"
        counts[path] = len(operation._inbound_nodes), len(operation._outbound_nodes)
        inner = getattr(operation, "operations", None) or getattr(operation, "layers", [])
        left += [(path, each) for each in inner]
    return counts


@pytest.mark.parametrize("make", ZOO, ids=lambda make: make.__name__)
def test_flattening_does_not_change_the_model_and_shares_its_weights(make: Callable) -> None:
    model = make()
    before = recorded_calls(model)
    for _ in range(2):
        graph = flatten(model)
        before_activation(graph.layers[-1].output)
    assert recorded_calls(model) == before
    assert {id(weight) for weight in graph.model.weights} == {id(weight) for weight in model.weights}


def test_another_size_and_fresh_weights_do_not_change_the_model() -> None:
    model = trunk()
    before = recorded_calls(model)
    at_size(model, (None, None, 3))
    fresh_weights(model, 0)
    assert recorded_calls(model) == before


def test_two_inner_models_can_have_layers_of_the_same_name() -> None:
    inputs = pixels()
    one, other = trunk("one"), trunk("other")
    outer_input = pixels("first")  # the name of a layer inside
    model = keras.Model(inputs, keras.layers.Subtract(name="sum")([one(inputs), other(inputs)]))
    graph = flatten(model)
    assert {"one/first", "other/first", "sum", "one/sum"} <= {layer.path for layer in graph.layers}
    np.testing.assert_array_equal(graph.model(PICTURES), model(PICTURES))
    clash = keras.Model(outer_input, one(outer_input))
    np.testing.assert_array_equal(flatten(clash).model(PICTURES), clash(PICTURES))


def test_an_inner_model_that_is_called_twice_gives_both_outputs() -> None:
    """`keras.models.clone_model` cannot replay this: its outputs are not connected to the outer input."""
    inputs, inner = pixels(), trunk()
    both = [inner(keras.layers.Rescaling(scale)(inputs)) for scale in (1.0, 0.5)]
    model = keras.Model(
        inputs, keras.layers.Concatenate()([*both, inner(keras.layers.Rescaling(2.0)(inputs))])
    )
    layers = flatten(model)
    np.testing.assert_array_equal(layers.model(PICTURES), model(PICTURES))
    assert {"trunk/second", "trunk/second@2", "trunk/second@3"} <= {each.path for each in layers.layers}


def test_logits_follow_the_weights_of_the_model() -> None:
    model = functional_in_functional()
    graph = flatten(model)
    graph_logits = keras.Model(graph.model.inputs[0], before_activation(graph.model.outputs[0]))
    maps = next(layer for layer in graph.layers if layer.path == "trunk/first")
    linear = keras.Model(graph.model.inputs[0], before_activation(maps.output))
    model.set_weights([weight * 2 for weight in model.get_weights()])
    np.testing.assert_array_equal(graph_logits(PICTURES), model(PICTURES))
    np.testing.assert_array_equal(np.maximum(linear(PICTURES), 0), maps.keras_layer(PICTURES))


class WSConv(keras.layers.Conv2D):
    """A subclass as weight-standardized networks have it."""


class Scores(keras.layers.Dense):
    """A subclass of a dense layer."""


class Shares(keras.layers.Softmax):
    """A subclass of a softmax layer."""


def test_a_subclass_of_a_keras_layer_is_of_its_kind() -> None:
    inputs = pixels()
    x = keras.layers.Flatten()(WSConv(2, 3, name="maps")(inputs))
    model = keras.Model(inputs, Shares()(Scores(3, name="scores")(x)))
    layers = {layer.path: layer for layer in flatten(model).layers}
    assert layers["maps"].is_convolution
    assert layers["scores"].has_units
    assert not layers["scores"].is_convolution
    assert activation_of(model.outputs[0]) == "softmax"
    logits = keras.Model(inputs, before_activation(model.outputs[0]))(PICTURES)
    np.testing.assert_allclose(keras.ops.softmax(logits), model(PICTURES), rtol=1e-6)


@pytest.mark.parametrize("make", ZOO, ids=lambda make: make.__name__)
def test_every_layer_is_reached_and_the_output_is_the_same_bit_for_bit(
    make: Callable[[], keras.Model],
) -> None:
    keras.utils.set_random_seed(0)
    model = make()
    before = model.get_config() if not isinstance(model, Subclassed) else None
    graph = flatten(model)
    np.testing.assert_array_equal(graph.model.predict_on_batch(PICTURES), model.predict_on_batch(PICTURES))
    found = [layer.path for layer in graph.layers]
    assert len(found) == len(set(found))
    expected = [each.replace("dense", found[-1]) if each == "dense" else each for each in ZOO[make]]
    assert set(expected) <= set(found)
    if make in (functional_in_functional, in_sequential):
        assert sorted(found) == sorted(expected)
        assert (found[0], found[-1]) == (expected[0], expected[-1])
    assert graph.opaque == []
    if before is not None:
        assert model.get_config() == before
    for layer in graph.layers:  # each is connected to the one input
        assert keras.Model(graph.model.inputs[0], layer.output) is not None


def test_maps_of_a_nested_layer_are_those_of_the_inner_model() -> None:
    model = functional_in_functional()
    graph = flatten(model)
    (layer,) = [each for each in graph.layers if each.path == "trunk/normal"]
    inner = model.get_layer("trunk")
    expected = keras.Model(inner.inputs[0], inner.get_layer("normal").output).predict_on_batch(PICTURES)
    ours = keras.Model(graph.model.inputs[0], layer.output).predict_on_batch(PICTURES)
    np.testing.assert_array_equal(ours, expected)


def test_layer_that_is_called_twice_has_both_outputs() -> None:
    graph = flatten(shared())
    second, first = (  # the one that has more layers before it is the first in the graph
        keras.Model(graph.model.inputs[0], each.output).predict_on_batch(PICTURES)
        for each in graph.layers
        if each.path in ("trunk/first", "trunk/first@2")
    )
    inner = next(each for each in graph.layers if each.path == "trunk/first").keras_layer
    np.testing.assert_allclose(first, inner(PICTURES), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, inner(PICTURES * np.float32(0.5)), rtol=1e-5, atol=1e-6)


def test_flat_model_keeps_the_names_and_the_order_of_its_layers() -> None:
    model = trunk()
    assert [each.path for each in flatten(model).layers] == [each.name for each in model.layers]


def test_inner_model_that_cannot_be_traced_stays_one_layer() -> None:
    import tensorflow as tf

    class Own(keras.Model):
        def __init__(self, **options: object):
            super().__init__(**options)
            self.convolution = keras.layers.Conv2D(2, 3)

        def build(self, shape: tuple) -> None:
            self.convolution.build(shape)

        def call(self, x: object) -> object:
            return tf.nn.relu(self.convolution(x)) if tf.is_tensor(x) else x.fail

        def compute_output_shape(self, shape: tuple) -> tuple:
            return self.convolution.compute_output_shape(shape)

        def compute_output_spec(self, x: object, **options: object) -> object:
            return self.convolution.compute_output_spec(x)

    own = Own(name="own")
    inputs = pixels()
    model = keras.Model(inputs, head()(own(inputs)))
    graph = flatten(model)
    assert graph.opaque == ["own"]
    assert [each.path for each in graph.layers] == ["pixels", "own", "head/pool", "head/scores"]
    np.testing.assert_array_equal(graph.model(PICTURES), model(PICTURES))
    with pytest.raises(ConvscopeError, match="cannot reach the layers of own"):
        flatten(own)


def several() -> keras.Model:
    picture, size = pixels("picture"), keras.Input((2,), name="size")
    scores = keras.layers.Dense(3, name="flower")(keras.layers.Flatten()(picture))
    both = keras.layers.Concatenate(name="both")([scores, size])
    return keras.Model([picture, size], [scores, keras.layers.Dense(2, name="price")(both)])


def test_one_of_several_inputs_and_outputs_is_chosen_by_name() -> None:
    model = several()
    graph = flatten(model, input_name="picture", output_name="flower")
    expected = model([PICTURES, np.zeros((2, 2), np.float32)])[0]
    np.testing.assert_array_equal(graph.model(PICTURES), expected)
    assert [each.path for each in graph.layers][
        -1
    ] == "flower"  # layers that it does not depend on are left out
    assert "both" not in {each.path for each in graph.layers}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({}, "^the model has the inputs picture, size; set input=NAME"),
        ({"input_name": "picture"}, "^the model has the outputs flower, price; set output=NAME"),
        ({"input_name": "x", "output_name": "flower"}, "^input=x: the model has the inputs picture, size"),
        ({"input_name": "picture", "output_name": "price"}, "the output also depends on the input size"),
        ({"input_name": "size", "output_name": "flower"}, "also depends on the input picture"),
    ],
)
def test_ambiguous_inputs_and_outputs_are_refused(names: dict[str, str], said: str) -> None:
    with pytest.raises(ConvscopeError, match=said):
        flatten(several(), **names)


def test_sequential_model_that_is_not_built_is_refused() -> None:
    with pytest.raises(ConvscopeError, match="is not built"):
        flatten(keras.Sequential([keras.layers.Conv2D(2, 3)]))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_model_computes_in_float32(policy: str) -> None:
    keras.utils.set_random_seed(0)
    plain = functional_in_functional()
    keras.config.set_dtype_policy(policy)
    try:
        mixed = functional_in_functional()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(plain.get_weights())
    assert mixed.get_layer("trunk").get_layer("first").compute_dtype == policy.removeprefix("mixed_")
    graph = flatten(mixed)
    np.testing.assert_array_equal(graph.model.predict_on_batch(PICTURES), plain.predict_on_batch(PICTURES))
    assert {each.output.dtype for each in graph.layers} == {"float32"}
    assert mixed.get_layer("trunk").get_layer("first").compute_dtype == policy.removeprefix("mixed_")


def ordered(data_format: str) -> keras.Model:
    first = data_format == "channels_first"
    options, axis = {"data_format": data_format}, 1 if first else -1
    inputs = keras.Input((3, SIZE, SIZE) if first else (SIZE, SIZE, 3), name="pixels")
    x = keras.layers.Conv2D(4, 3, activation="relu", **options)(inputs)
    x = keras.layers.BatchNormalization(axis=axis)(x)
    x = keras.layers.Concatenate(axis=axis)(
        [x, keras.layers.DepthwiseConv2D(3, padding="same", **options)(x)]
    )
    x = keras.layers.MaxPooling2D(2, **options)(x)
    x = keras.layers.Dropout(0.5)(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten(**options)(x)))


def test_channels_first_model_is_converted() -> None:
    """TensorFlow cannot run it on a CPU; the reference is a channels-last model with the same weights."""
    keras.utils.set_random_seed(0)
    last, first = ordered("channels_last"), ordered("channels_first")
    first.set_weights(last.get_weights())
    graph = flatten(first)
    assert graph.model.input_shape == (None, SIZE, SIZE, 3)
    np.testing.assert_allclose(graph.model(PICTURES), last(PICTURES), rtol=1e-5, atol=1e-6)
    assert [each.shape for each in graph.layers] == [tuple(each.output.shape[1:]) for each in last.layers]
    x = keras.layers.Conv2D(4, 3, data_format="channels_first")(first.inputs[0])
    with pytest.raises(ConvscopeError, match=r"its layer .* \(Permute\) cannot be converted"):
        flatten(keras.Model(first.inputs[0], keras.layers.Permute((2, 3, 1))(x)))


def squeeze_and_excite(data_format: str, *, shape: tuple[int, ...] | None = None) -> keras.Model:
    """A network with a squeeze-and-excitation block."""
    first = data_format == "channels_first"
    options = {"data_format": data_format}
    inputs = keras.Input((3, SIZE, SIZE) if first else (SIZE, SIZE, 3))
    x = keras.layers.Conv2D(4, 3, **options)(inputs)
    weights = keras.layers.Dense(4, activation="sigmoid")(keras.layers.GlobalAveragePooling2D(**options)(x))
    weights = keras.layers.Reshape(shape or ((4, 1, 1) if first else (1, 1, 4)))(weights)
    weights = keras.layers.Conv2D(4, 1, **options)(weights)
    x = keras.layers.Multiply()([x, weights])
    return keras.Model(inputs, keras.layers.GlobalMaxPooling2D(**options)(x))


def test_channels_first_squeeze_and_excitation_is_converted() -> None:
    last = squeeze_and_excite("channels_last")
    for shape in ((4, 1, 1), (-1, 1, 1)):
        first = squeeze_and_excite("channels_first", shape=shape)
        first.set_weights(last.get_weights())
        np.testing.assert_allclose(flatten(first).model(PICTURES), last(PICTURES), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "make_maps",
    [
        keras.layers.Reshape((2, 5, 5)),
        lambda x: keras.ops.reshape(x, (-1, 2, 5, 5)),
        lambda x: keras.ops.expand_dims(keras.ops.reshape(x, (-1, 10, 5)), 1),
        lambda x: keras.layers.Permute((3, 1, 2))(keras.layers.Reshape((5, 5, 2))(x)),
    ],
    ids=["reshape", "ops_reshape", "expand_dims", "permute"],
)
def test_channels_first_maps_made_from_a_vector_are_refused(make_maps: Callable) -> None:
    inputs = keras.Input((3, SIZE, SIZE))
    x = keras.layers.Conv2D(2, SIZE, data_format="channels_first")(inputs)
    x = make_maps(keras.layers.Dense(50)(keras.layers.Flatten(data_format="channels_first")(x)))
    x = keras.layers.Conv2D(4, 3, data_format="channels_first")(x)
    with pytest.raises(
        ConvscopeError, match=r"has data_format=channels_first, and its layer .* cannot be converted"
    ):
        flatten(keras.Model(inputs, x))


@pytest.mark.parametrize(
    "per_channel",
    [lambda x: x * np.ones((2, 1, 1), np.float32), keras.layers.Rescaling(np.ones((2, 1, 1), np.float32))],
    ids=["operation", "rescaling"],
)
def test_channels_first_constants_are_refused(per_channel: Callable) -> None:
    inputs = keras.Input((3, SIZE, SIZE))
    x = per_channel(keras.layers.Conv2D(2, 3, data_format="channels_first")(inputs))
    with pytest.raises(
        ConvscopeError, match=r"has data_format=channels_first, and its layer .* cannot be converted"
    ):
        flatten(keras.Model(inputs, x))


def test_convolutions_run_at_another_size_with_the_same_weights() -> None:
    model = trunk()
    wide = np.random.default_rng(1).uniform(0, 1, (1, 20, 31, 3)).astype(np.float32)
    larger = at_size(flatten(model).model, (None, None, 3))
    assert larger(wide).shape == (1, 18, 29, 4)
    np.testing.assert_array_equal(larger(PICTURES), model(PICTURES))


def scores(layer: Callable | None, *, activation: str | None = None, units: int = 3) -> keras.Model:
    inputs = keras.Input((4,))
    x = keras.layers.Dense(units, activation=activation, name="dense")(inputs)
    return keras.Model(inputs, layer(x) if layer else x)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (lambda: scores(None), "linear"),
        (lambda: scores(None, activation="softmax"), "softmax"),
        (lambda: scores(None, activation="sigmoid", units=1), "sigmoid"),
        (lambda: scores(keras.layers.Softmax()), "softmax"),
        (lambda: scores(keras.layers.Activation("sigmoid")), "sigmoid"),
        (lambda: scores(keras.ops.softmax), "softmax"),
        (lambda: scores(lambda x: keras.ops.cast(keras.ops.softmax(x), "float32")), "softmax"),
        (lambda: scores(keras.layers.Dropout(0.5), activation="softmax"), "softmax"),
        (lambda: scores(keras.layers.Reshape((3,))), "linear"),
        (lambda: scores(lambda x: x * 2.0), None),
    ],
)
def test_last_activation_and_the_values_before_it(
    model: Callable[[], keras.Model], expected: str | None
) -> None:
    network = model()
    output = network.outputs[0]
    assert activation_of(output) == expected
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    if expected in ("softmax", "sigmoid"):
        kernel, bias = network.get_layer("dense").get_weights()
        logits = keras.Model(network.inputs[0], before_activation(output))(x)
        np.testing.assert_allclose(logits, x @ kernel + bias, rtol=1e-5, atol=1e-6)
        assert as_probabilities(network) is network
    elif expected == "linear":
        sums = np.asarray(as_probabilities(network)(x)).sum(axis=1)
        np.testing.assert_allclose(sums, 1, rtol=1e-5)
    else:
        with pytest.raises(ConvscopeError, match="set outputs=probabilities or outputs=logits"):
            as_probabilities(network)
        assert as_probabilities(network, "probabilities") is network


def test_one_logit_becomes_the_probability_of_the_second_class() -> None:
    network = scores(None, units=1)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    expected = 1 / (1 + np.exp(-np.asarray(network(x))))
    np.testing.assert_allclose(as_probabilities(network)(x), expected, rtol=1e-5)


def test_repeated_layer_comes_after_the_layers_that_it_depends_on() -> None:
    inputs, convolution = pixels(), keras.layers.Conv2D(3, 3, padding="same", name="again")
    x = convolution(keras.layers.BatchNormalization(name="between")(convolution(inputs)))
    layers = flatten(keras.Model(inputs, x)).layers
    assert [each.path for each in layers] == ["pixels", "again", "between", "again@2"]
    assert [each.sources for each in layers] == [(), (0,), (1,), (2,)]


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Flatten(data_format="channels_last"),
        lambda x: keras.ops.mean(x, axis=(2, 3)),
        keras.layers.LayerNormalization(axis=[1, 2, 3]),
    ],
)
def test_channels_first_layers_that_cannot_be_converted_are_refused(layer: Callable) -> None:
    inputs = keras.Input((3, SIZE, SIZE))
    x = layer(keras.layers.Conv2D(4, 3, data_format="channels_first")(inputs))
    with pytest.raises(
        ConvscopeError, match=r"has data_format=channels_first, and its layer .* cannot be converted"
    ):
        flatten(keras.Model(inputs, x))


def test_functional_model_with_its_own_call_is_refused() -> None:
    class Halved(keras.Model):
        def call(self, x: object, **options: object) -> object:
            return super().call(x, **options) / 2

    inputs = pixels()
    model = Halved(inputs, keras.layers.Flatten()(trunk()(inputs)))
    with pytest.raises(ConvscopeError, match="cannot reach the layers of halved"):
        flatten(model)


@pytest.mark.parametrize("batch", [1, 4])
def test_fixed_batch_size_becomes_open(batch: int) -> None:
    inputs = keras.Input(batch_shape=(batch, SIZE, SIZE, 3))
    model = keras.Model(inputs, head()(inputs))
    assert flatten(model).model.input_shape == (None, SIZE, SIZE, 3)
    assert flatten(model).model(PICTURES).shape == (2, 3)


def test_averaged_probabilities_are_not_taken_for_logits() -> None:
    inputs = pixels()
    maps = keras.layers.Conv2D(3, 1, activation="softmax")(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))
    with pytest.raises(ConvscopeError, match="unknown activation of the output layer"):
        as_probabilities(model)
    logits = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 1)(inputs))
    assert activation_of(keras.Model(inputs, logits).outputs[0]) == "linear"
