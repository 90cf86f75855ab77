"""Push, removal, links and values of channels: by hand, and against the whole network."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.graph import Layer, before_activation, flatten, joined_layers
from convscope.vis.channels import removal
from convscope.vis.channels.links import Link, scale_of, slice_norms, strongest_links
from convscope.vis.channels.push import class_push
from convscope.vis.channels.removal import Removal, accuracy, last_alone, outcomes, remove
from convscope.vis.channels.survey import PERCENTILES, correlations, histograms, ranks_at, similar, survey
from convscope.vis.channels.work import divided, evenly_limited
from tests.vis import nets

HEAD = np.array([[1.0, -2.0], [0.5, 1.0]])  # of `nets.classifier`: (channels, classes)
PICTURES = np.concatenate([nets.photograph(), 2 * nets.photograph()])


def small_net(*, units: int = 3) -> keras.Model:
    """A random network with pooling, depthwise convolution, batch normalization, a branch and Flatten."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = keras.layers.MaxPooling2D(name="pool")(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", name="depth")(x)
    x = keras.layers.ReLU(6.0, name="end")(keras.layers.BatchNormalization(name="normal")(x))
    branch = keras.layers.Conv2D(4, 1, activation="swish", name="branch")(x)
    x = keras.layers.Add(name="sum")([x, branch])
    x = keras.layers.Flatten(name="flat")(keras.layers.Conv2D(5, 2, name="last")(x))
    activation = "softmax" if units > 1 else "sigmoid"
    model = keras.Model(inputs, keras.layers.Dense(units, activation=activation, name="scores")(x))
    rng = np.random.default_rng(0)
    normal = model.get_layer("normal")
    normal.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in normal.get_weights()])
    return model


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, 12, 12, 3)).astype(np.float32)


def layer_of(model: keras.Model, path: str) -> tuple[keras.Model, list[Layer], Layer]:
    graph = flatten(model)
    return graph.model, graph.layers, next(layer for layer in graph.layers if layer.path == path)


def test_values_of_channels_by_hand() -> None:
    """Red minus green is 2 in three of nine positions; blue plus one is 5 in three and 1 in six."""
    model, _, layer = layer_of(nets.two_channels(activation="relu"), "maps")
    found = survey(model, [layer], [PICTURES[:1], PICTURES[1:], np.zeros((1, 3, 3, 3), np.float32)])
    values = found.layers["maps"]
    np.testing.assert_allclose(values.means, [[2 / 3, 7 / 3], [4 / 3, 11 / 3], [0, 1]], rtol=1e-6)
    np.testing.assert_allclose(values.mean, [2 / 3, 7 / 3], rtol=1e-6)
    np.testing.assert_allclose(values.zeros, [(6 + 6 + 9) / 27, 0], rtol=1e-6)
    np.testing.assert_array_equal(values.peaks, [[2, 5], [4, 9], [0, 1]])
    assert values.top.example.tolist() == [[1, 0, 2], [1, 0, 2]]
    assert values.always_zero.tolist() == [False, False]
    examples = values.examples()  # each image once
    assert examples.example[0].tolist() == [1, 0, 2]
    assert examples.value[1].tolist() == [9, 5, 1]
    dark = survey(model, [layer], [np.zeros((2, 3, 3, 3), np.float32)]).layers["maps"]
    assert dark.always_zero.tolist() == [True, False]


@pytest.mark.parametrize("seed", range(3))
def test_ranks_are_those_of_percentiles_of_numpy(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=257)
    descending = np.sort(values)[::-1]
    for percentile in (100, 99, 90, 50, 0):
        (rank,) = ranks_at([percentile], len(values))
        assert descending[rank] == np.percentile(values, percentile, method="closest_observation") or (
            descending[rank] == np.percentile(values, percentile, method="nearest")
        )
    assert list(ranks_at((100, 100, 100, 99, 90, 50), 1001)) == [0, 1, 2, 10, 100, 500]


def test_each_rank_is_shown_once() -> None:
    assert ranks_at(PERCENTILES, 5) == dict.fromkeys(range(5), 100)
    assert ranks_at(PERCENTILES, 31) == {**dict.fromkeys(range(9), 100), 15: 50}
    assert ranks_at(PERCENTILES, 100_001) == {
        **dict.fromkeys(range(9), 100),
        1000: 99,
        10_000: 90,
        50_000: 50,
    }


def test_histograms_by_hand() -> None:
    peaks = np.array([[0, 3], [1, 3], [4, 3], [3.9, 3]], np.float32)
    counts, low, high = histograms(peaks, np.array([0, 1, 1, 0]), 2, 4)
    assert counts[0].tolist() == [[1, 0, 0, 1], [0, 1, 0, 1]]
    assert counts[1].tolist() == [[2, 0, 0, 0], [2, 0, 0, 0]]  # all peaks are equal
    assert (low.tolist(), high.tolist()) == ([0, 3], [4, 3])


def test_correlations_agree_with_numpy_and_constant_channels_have_none() -> None:
    means = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    means[:, 3] = -means[:, 1]
    np.testing.assert_allclose(correlations(means), np.corrcoef(means.T), atol=1e-6)
    means[:, 2] = 0.1
    expected = np.corrcoef(means[:, [0, 1, 3, 4]].T)
    found = similar(means, 2)
    assert found[2] == []
    first = sorted(zip(expected[0][1:], (1, 3, 4), strict=True), reverse=True)[:2]
    assert [channel for channel, _ in found[0]] == [channel for _, channel in first]
    np.testing.assert_allclose([value for _, value in found[0]], [value for value, _ in first], atol=1e-6)
    assert found[1][-1][0] != 1  # not the channel itself


def test_push_of_a_linear_head_is_the_logit_by_hand() -> None:
    """After global average pooling, the push is the mean of the map times the weight."""
    model, _, layer = layer_of(nets.classifier(HEAD, "softmax"), "maps")
    push = class_push(model, [layer], PICTURES, np.eye(2, dtype=np.float32))["maps"]
    np.testing.assert_allclose(push, np.array([[1], [3]]) * HEAD, rtol=1e-6)  # mean maps: 1 and 3
    logits = keras.Model(model.inputs[0], before_activation(model.outputs[0])).predict_on_batch(PICTURES)
    np.testing.assert_allclose(push.sum(axis=0), logits.mean(axis=0), rtol=1e-6)  # the head has no bias


def test_push_is_gradient_times_activation_of_the_whole_network() -> None:
    model, layers, _ = layer_of(small_net(), "first")
    shown = [layer for layer in layers if layer.path in ("first", "end", "branch", "last")]
    inputs = noise(19)  # more than a batch
    found = class_push(model, shown, inputs, np.eye(3, dtype=np.float32)[1:])
    logits = before_activation(model.outputs[0])
    for layer in shown:
        both = keras.Model(model.inputs[0], [layer.output, logits])
        with tf.GradientTape() as tape:
            point = tf.constant(inputs)
            tape.watch(point)
            maps, scores = both(point)
            score = tf.reduce_sum(scores[:, 2])
        gradient = tape.gradient(score, maps)
        expected = tf.reduce_sum(maps * gradient, axis=(0, 1, 2)) / 19
        np.testing.assert_allclose(found[layer.path][:, 1], expected, rtol=1e-4, atol=1e-6)
    bias = model.get_layer("scores").bias[1]  # the layers after `last` are linear
    mean = keras.Model(model.inputs[0], logits).predict_on_batch(inputs)[:, 1].mean()
    assert found["last"][:, 0].sum() == pytest.approx(mean - float(bias), rel=1e-4)


class Replace(keras.layers.Layer):
    """Replaces a channel by a constant, in the whole network."""

    def __init__(self, channel: int, constant: float) -> None:
        super().__init__()
        self.channel, self.constant = channel, constant

    def call(self, maps: tf.Tensor) -> tf.Tensor:
        chosen = tf.one_hot(self.channel, maps.shape[-1])
        return maps * (1 - chosen) + self.constant * chosen


def replaced(model: keras.Model, layer: Layer, channel: int, constant: float) -> keras.Model:
    """Return the whole network with a channel of a layer replaced by a constant."""

    def call(operation: keras.Operation, *args: object, **kwargs: object) -> object:
        output = operation(*args, **kwargs)
        return Replace(channel, constant)(output) if operation.name == layer.path else output

    return keras.models.clone_model(model, clone_function=lambda one: one, call_function=call)


@pytest.mark.parametrize(
    ("path", "cut"), [("first", "end"), ("end", "end"), ("branch", "branch"), ("last", "last")]
)
@pytest.mark.parametrize(("units", "memory"), [(1, True), (3, False)])
def test_removal_agrees_with_the_whole_network(
    path: str, cut: str, units: int, memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean of `first` is put in after pooling, depthwise convolution and normalization."""
    model, layers, layer = layer_of(small_net(units=units), path)
    classes, channels = max(2, units), [0, 2, 3]
    inputs = noise(40)
    labels = np.arange(40) % classes
    means = np.random.default_rng(2).uniform(0, 2, layer.channels)
    logits = before_activation(model.outputs[0])
    assert last_alone(layers, layer, logits).path == cut
    if not memory:  # for all 40 images
        monkeypatch.setattr(removal, "_STORED", 5000)
    found = remove(
        model,
        [Removal(model, layers, layer)],
        inputs,
        labels,
        means={path: means},
        channels={path: np.array(channels)},
    )[path]
    networks = [model, *(replaced(model, layer, channel, float(means[channel])) for channel in channels)]
    expected = outcomes(np.stack([probabilities(network, inputs) for network in networks]), labels)
    np.testing.assert_allclose(found.probability, expected.probability, rtol=1e-4)
    np.testing.assert_array_equal(found.correct, expected.correct)


def test_outputs_that_are_an_average_are_probabilities() -> None:
    inputs = keras.Input((12, 12, 3))
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(maps)
    heads = [keras.layers.Dense(3, activation="softmax")(x) for _ in range(2)]
    model, layers, layer = layer_of(keras.Model(inputs, keras.layers.Average()(heads)), "first")
    labels, means = np.arange(8) % 3, {"first": np.zeros(4)}
    removals, channels = [Removal(model, layers, layer)], {"first": np.array([1])}
    found = remove(model, removals, noise(8), labels, means=means, channels=channels)["first"]
    expected = model.predict_on_batch(noise(8))[np.arange(8), labels]
    np.testing.assert_allclose(found.probability[0], expected, rtol=1e-5)


def test_a_convolution_and_its_pooling_are_removed_in_one_pass() -> None:
    """The cut is at the same layer, once in each removal."""
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.MaxPooling2D(name="pool")(keras.layers.Conv2D(4, 3, name="first")(inputs))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="second")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model, layers, _ = layer_of(keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x)), "pool")
    removals = [Removal(model, layers, layer) for layer in layers if layer.path in ("first", "pool")]
    means, channels = (dict.fromkeys(("first", "pool"), values) for values in (np.zeros(4), np.array([1])))
    labels = np.arange(8) % 3
    found = remove(model, removals, noise(8), labels, means=means, channels=channels)
    expected = model.predict_on_batch(noise(8))[np.arange(8), labels]
    for name in ("first", "pool"):
        np.testing.assert_allclose(found[name].probability[0], expected, rtol=1e-5)
    # Zeros in the convolution are zeros behind the pooling.
    np.testing.assert_allclose(found["first"].probability[1], found["pool"].probability[1], rtol=1e-5)


def probabilities(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    values = model.predict_on_batch(inputs).astype(np.float64)
    return np.hstack([1 - values, values]) if values.shape[1] == 1 else values


def test_removal_by_hand() -> None:
    """Without blue, the second class of three is never predicted."""
    head = np.array([[1.0, 0, 0], [0, 1, 0]])
    model, layers, layer = layer_of(nets.classifier(head, "softmax"), "maps")
    inputs = np.zeros((4, 3, 3, 3), np.float32)
    inputs[:2, ..., 0] = 3  # red: logits 3 and 1
    inputs[2:, ..., 2] = 4  # blue: logits 0 and 5
    labels = np.array([0, 0, 1, 1])
    means, channels = {"maps": np.array([1.5, 0])}, {"maps": np.array([0, 1])}
    removals = [Removal(model, layers, layer)]
    found = remove(model, removals, inputs, labels, means=means, channels=channels)["maps"]
    scores = accuracy(found, labels, [0, 1, 2])
    before, after = scores.at(0), scores.at(slice(1, None))
    np.testing.assert_array_equal(before.of_class, [1, 1, np.nan])
    assert before.all == 1
    # Red becomes 1.5 everywhere: it still wins over 1 without blue, and loses to 5. Blue becomes 0.
    np.testing.assert_array_equal(after.of_class, [[1, 1, np.nan], [1, 0, np.nan]])
    np.testing.assert_array_equal(after.minus(before).all, [0, -0.5])
    odds = np.exp([0.0, 0.0, 0.0])  # of a blue picture without blue
    assert after.probability[1, 1] == pytest.approx(odds[1] / odds.sum())


def linked_net() -> keras.Model:
    """Two convolutions that are added, a branch that is concatenated, pooling, Flatten and a dense layer."""
    inputs = keras.Input((8, 8, 2), name="pixels")
    one = keras.layers.Conv2D(2, 3, padding="same", use_bias=False, name="one")(inputs)
    one = keras.layers.ReLU(name="one_end")(keras.layers.BatchNormalization(name="one_normal")(one))
    two = keras.layers.Conv2D(2, 1, activation="relu", name="two")(one)
    both = keras.layers.Concatenate(name="both")([keras.layers.Add(name="sum")([one, two]), two])
    x = keras.layers.MaxPooling2D(4, name="pool")(both)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="scores")(x))


def test_links_by_hand() -> None:
    model = linked_net()
    model.get_layer("one_normal").set_weights([np.array([-2.0, 1]), np.zeros(2), np.zeros(2), np.ones(2)])
    model.get_layer("two").set_weights([np.array([[[[3.0, -4], [0, 1]]]]), np.zeros(2)])
    dense = np.zeros((2, 2, 4, 2))  # positions, channels of `both`, units
    dense[..., 0, 0] = 1  # norm 2 over four positions: channel 0 of the sum
    dense[0, 0, 3, 0] = 5  # channel 1 of `two`
    dense[..., 2, 1] = 0.5  # norm 1: channel 0 of `two`
    model.get_layer("scores").set_weights([dense.reshape(16, 2), np.zeros(2)])
    layers = joined_layers(flatten(model).layers)
    index = {layer.path: layer.output.index for layer in layers}
    links = strongest_links(layers, 3)
    assert links[index["one"]].inputs == [[], []]  # no links from pixels
    assert links[index["two"]].inputs == [
        [Link(index["one"], 0, 3.0)],
        [Link(index["one"], 0, 4.0), Link(index["one"], 1, 1.0)],
    ]
    scores = index["scores"]
    assert links[scores].inputs == [
        [Link(index["two"], 1, 5.0), Link(index["two"], 0, 2.0), Link(index["one"], 0, 2.0)],
        [Link(index["two"], 0, 1.0)],
    ]
    assert links[index["one"]].outputs == [
        [Link(index["two"], 1, 4.0), Link(index["two"], 0, 3.0), Link(scores, 0, 2.0)],
        [Link(index["two"], 1, 1.0)],
    ]
    assert links[index["two"]].outputs[0] == [Link(scores, 0, 2.0), Link(scores, 1, 1.0)]


KERNELS = {
    "plain": keras.layers.Conv2D(6, 3),
    "groups": keras.layers.Conv2D(6, 3, groups=2),
    "depthwise": keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
    "separable": keras.layers.SeparableConv2D(6, 3, depth_multiplier=2),
    "transposed": keras.layers.Conv2DTranspose(6, 3),
}


@pytest.mark.parametrize("kind", KERNELS)
def test_slice_norms_are_those_of_the_impulse_response(kind: str) -> None:
    """A picture with a single one in channel i gets the weights between i and each output channel."""
    inputs = keras.Input((9, 9, 4))
    convolution = KERNELS[kind]
    x = keras.layers.BatchNormalization(name="normal")(convolution(inputs))
    model = keras.Model(inputs, x)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in model.get_weights()])
    layer = flatten(model).layers[1]
    pictures = np.zeros((5, 9, 9, 4), np.float32)
    pictures[range(4), 4, 4, range(4)] = 1
    outputs = model.predict_on_batch(pictures)
    response = np.sqrt(((outputs[:4] - outputs[4]) ** 2).sum(axis=(1, 2)))
    folded = slice_norms(layer) * scale_of(model.get_layer("normal"))
    np.testing.assert_allclose(folded, response, rtol=1e-4, atol=1e-5)


def test_links_of_batch_normalization_are_those_of_the_folded_kernel() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(3, 1, name="zero")(inputs)
    x = keras.layers.BatchNormalization(name="between")(keras.layers.ReLU(name="end")(x))
    x = keras.layers.Conv2D(2, 3, use_bias=False, name="next")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization(name="after")(x))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in model.get_weights()])
    between, after = (scale_of(model.get_layer(name)) for name in ("between", "after"))
    folded = np.asarray(model.get_layer("next").kernel) * between[:, None] * after
    expected = np.sqrt((folded**2).sum(axis=(0, 1)))
    layers = joined_layers(flatten(model).layers)
    links = strongest_links(layers, 3)[next(one for one in layers if one.path == "next").output.index]
    for channel in range(2):
        found = {link.channel: link.strength for link in links.inputs[channel]}
        assert found == pytest.approx(dict(enumerate(expected[:, channel])), rel=1e-6)


@pytest.mark.parametrize("normalized", [False, True])
def test_links_through_layers_behind_flatten_use_all_positions(normalized: bool) -> None:
    """Maps of 2×2 positions and 2 channels; the kernel of the dense layer is 1, 2, … 8 by row.

    The batch normalization divides the values of the last position by 10.
    """
    inputs = keras.Input((2, 2, 3))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 1, name="maps")(inputs))
    if normalized:
        x = keras.layers.BatchNormalization(epsilon=0, name="normal")(x)
    x = keras.layers.Activation("relu", name="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="score")(x))
    kernel = np.arange(1.0, 9)
    model.get_layer("score").set_weights([kernel[:, None], np.zeros(1)])
    factor = np.ones(8)
    if normalized:
        factor[6:] = 0.1
        model.get_layer("normal").set_weights([factor, np.zeros(8), np.zeros(8), np.ones(8)])
    layers = joined_layers(flatten(model).layers)
    index = {layer.path: layer.output.index for layer in layers}
    (links,) = strongest_links(layers, 3)[index["score"]].inputs
    last = (0.7, 0.8) if normalized else (7, 8)
    expected = {0: np.sqrt(1 + 9 + 25 + last[0] ** 2), 1: np.sqrt(4 + 16 + 36 + last[1] ** 2)}
    assert {link.channel: link.strength for link in links} == pytest.approx(expected)
    assert {link.layer for link in links} == {index["maps"]}


def test_no_link_leads_from_several_flattened_maps() -> None:
    inputs = keras.Input((2, 2, 3))
    one, two = (keras.layers.Conv2D(2, 1, name=name)(inputs) for name in ("one", "two"))
    x = keras.layers.Concatenate()([keras.layers.Flatten()(one), keras.layers.Flatten()(two)])
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="score")(x))
    layers = joined_layers(flatten(model).layers)
    score = next(layer.output.index for layer in layers if layer.path == "score")
    assert strongest_links(layers, 3)[score].inputs == [[]]


def test_no_link_leads_through_a_gate_or_a_softmax() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 1, name="zero")(inputs)
    gate = keras.layers.Conv2D(2, 1, activation="sigmoid", name="gate")(x)
    x = keras.layers.Conv2D(2, 1, name="gated")(keras.layers.Multiply()([x, gate]))
    x = keras.layers.Softmax()(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 1, name="mixed")(x))
    layers = joined_layers(flatten(keras.Model(inputs, keras.layers.Activation("softmax")(x))).layers)
    links = {layer.path: strongest_links(layers, 3).get(layer.output.index) for layer in layers}
    assert all(len(one) == 2 for one in links["gate"].inputs)
    assert links["gated"].inputs == links["mixed"].inputs == [[], []]


def test_work_is_divided_by_hand() -> None:
    works = {"early": 100.0, "late": 1.0, "middle": 10.0, "free": 0.0}
    wanted = {"early": 5, "late": 7, "middle": 9, "free": 3}
    assert divided(works, wanted, 1000) == wanted
    # Free and late need 7 of 300; middle gets 90 of the half of 293, and 203 are left for early.
    assert divided(works, wanted, 300) == {"early": 2, "late": 7, "middle": 9, "free": 3}
    assert divided(works, wanted, 0) == {"early": 0, "late": 0, "middle": 0, "free": 3}
    assert evenly_limited([3, 50, 8], 19) == [3, 8, 8]
    assert evenly_limited([3, 5], 100) == [3, 5]
