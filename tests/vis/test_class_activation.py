import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.errors import ConvscopeError
from convscope.graph import before_activation, flatten
from convscope.graph.layer import Layer
from convscope.vis.class_activation.head_kind import default_method, is_averaged
from convscope.vis.class_activation.methods import METHODS, ClassActivation, Heatmap, relative
from convscope.vis.class_activation.targets import against_nearest, of_class
from convscope.vis.class_activation.weightings import weighted_positive_gradient
from convscope.vis.layer_selection import last_maps, select
from tests.vis.nets import classifier, photograph

RED = np.array([[2, 2, 2], [0, 0, 0], [0, 0, 0]], np.float32)  # the two maps after ReLU
BLUE = np.array([[1, 1, 5]] * 3, np.float32)


def explain(
    model: keras.Model, layer: Layer, picture: np.ndarray, index: int, method: str = "grad_cam"
) -> Heatmap:
    target = of_class(index, model.output_shape[-1])
    (result,) = ClassActivation(model, [layer], method)(picture, target[None])
    return result


def test_grad_cam_by_hand() -> None:
    """With average pooling over 9 places the mean gradient of a logit is its weight over 9."""
    head = np.array([[3.0, -1.0], [1.0, 2.0]])
    model = classifier(head, "softmax")
    graph = flatten(model)
    maps = last_maps(graph.layers)
    first, second = (explain(graph.model, maps, photograph(), index) for index in (0, 1))
    np.testing.assert_allclose(first.heat, (3 * RED + BLUE) / 9, rtol=1e-6)
    np.testing.assert_allclose(second.heat, np.maximum(-RED + 2 * BLUE, 0) / 9, rtol=1e-6)
    assert first.score == np.float32(3 * RED.mean() + BLUE.mean())


def test_grad_cam_explains_both_classes_of_a_sigmoid() -> None:
    model = classifier(np.array([[3.0], [-1.0]]), "sigmoid")
    graph = flatten(model)
    maps = last_maps(graph.layers)
    for_one, for_zero = (explain(graph.model, maps, photograph(), index) for index in (1, 0))
    np.testing.assert_allclose(for_one.heat, np.maximum(3 * RED - BLUE, 0) / 9, rtol=1e-6)
    np.testing.assert_allclose(for_zero.heat, np.maximum(BLUE - 3 * RED, 0) / 9, rtol=1e-6)
    assert for_zero.score == -for_one.score


@pytest.mark.parametrize("method", METHODS)
def test_weights_that_are_not_finite_give_an_error_that_names_the_layer(method: str) -> None:
    model = classifier(np.array([[3.0, -1.0], [1.0, 2.0]]), "softmax")
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    graph = flatten(model)
    layer, target = last_maps(graph.layers), of_class(0, 2)[None]
    activation = ClassActivation(graph.model, [layer], method)
    names = f"{layer.path}|{model.layers[-1].name}"
    with pytest.raises(ConvscopeError, match=f"layer ({names}) returns values that are not finite"):
        activation(photograph(), target)
    with pytest.raises(ConvscopeError, match=f"layer ({names}) returns values that are not finite"):
        activation.of_predictions(photograph(), lambda probabilities: target)


def test_no_evidence_gives_zeros_and_no_nan() -> None:
    model = classifier(np.array([[-1.0, 1.0], [-1.0, 1.0]]), "softmax")
    graph = flatten(model)
    heat = explain(graph.model, last_maps(graph.layers), photograph(), 0).heat
    np.testing.assert_array_equal(relative(heat), np.zeros((3, 3)))


def test_grad_cam_agrees_with_finite_differences() -> None:
    """Behind the maps comes what has no kinks, so that a difference over a step is the derivative."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12, 12, 3))
    maps_of = keras.layers.Conv2D(4, 3, activation="relu", name="maps")(inputs)
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(2)(maps_of))
    hidden = keras.layers.Dense(5, activation="tanh")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    graph = flatten(model)
    layer = select(graph.layers, ["maps"])[0]
    picture = np.random.default_rng(0).uniform(size=(1, 12, 12, 3)).astype(np.float32)
    maps = np.asarray(keras.Model(inputs, maps_of)(picture), np.float64)
    first, first_bias, last, last_bias = (each.astype(np.float64) for each in model.get_weights()[2:])

    def logit(values: np.ndarray) -> float:
        pooled = values.reshape(1, 5, 2, 5, 2, 4).mean(axis=(2, 4)).reshape(1, -1)
        return float((np.tanh(pooled @ first + first_bias) @ last + last_bias)[0, 2])

    step = 1e-4
    weights = np.zeros(4)
    for row, column, channel in np.ndindex(10, 10, 4):
        shift = np.zeros_like(maps)
        shift[0, row, column, channel] = step
        weights[channel] += (logit(maps + shift) - logit(maps - shift)) / (2 * step) / 100
    expected = np.maximum(maps[0] @ weights, 0)
    assert expected.max() > 0
    result = explain(graph.model, layer, picture, 2)
    np.testing.assert_allclose(result.heat, expected, atol=1e-4 * expected.max())
    assert abs(result.score - logit(maps)) < 1e-5


def with_branches(merge: keras.layers.Layer) -> keras.Model:
    """The maps red minus green and blue plus one, then a branch with twice the first and the second.

    The branch, `inside`, is merged with the maps themselves; average pooling and a dense head follow.
    """
    trunk = classifier(np.eye(2), "linear").get_layer("maps")
    inputs = keras.Input((3, 3, 3))
    maps = trunk(inputs)
    inside = keras.layers.Conv2D(2, 1, activation="relu", name="inside")(maps)
    after = keras.layers.Conv2D(2, 1, name="after")(inside)
    merged = merge([maps, after])
    pooled = keras.layers.GlobalAveragePooling2D()(merged)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax", use_bias=False)(pooled))
    model.get_layer("inside").set_weights([np.diag([2.0, 1.0])[None, None], np.zeros(2)])
    model.get_layer("after").set_weights([np.array([[1.0, 3.0], [0.0, -1.0]])[None, None], np.zeros(2)])
    return model


@pytest.mark.parametrize("merge", [keras.layers.Add(), keras.layers.Concatenate()])
def test_a_layer_inside_of_a_branch_by_hand(merge: keras.layers.Layer) -> None:
    """The branch puts out i0 and 3 i0 - i1, where i are its maps.

    With the weights 5 and 1 of class 0 on these two, and average pooling over 9 positions, the gradient is
    (5 + 3) / 9 for the first map of `inside` and -1 / 9 for the second.
    """
    model = with_branches(merge)
    head = np.array([[5.0, 0.0], [1.0, 2.0]], np.float32)
    head = np.concatenate([np.float32([[7, 8], [9, 10]]), head])[-len(model.layers[-1].get_weights()[0]) :]
    model.layers[-1].set_weights([head])
    graph = flatten(model)
    result = explain(graph.model, select(graph.layers, ["inside"])[0], photograph(), 0)
    np.testing.assert_allclose(result.heat, np.maximum(8 * 2 * RED - BLUE, 0) / 9, rtol=1e-6)
    logits = keras.Model(model.inputs[0], model.layers[-2].output)(photograph()) @ head
    assert result.score == pytest.approx(float(logits[0, 0]), rel=1e-6)


def test_a_layer_inside_of_a_residual_block_has_the_gradient_of_one_model() -> None:
    """The reference differentiates a model that returns the maps and the logits in one pass."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3), classes=4)
    graph = flatten(model)
    layer = select(graph.layers, ["block_5_expand_relu"])[0]
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    both = keras.Model(graph.model.inputs[0], [layer.output, before_activation(graph.model.outputs[0])])
    with tf.GradientTape() as tape:
        inputs = tf.constant(picture)
        tape.watch(inputs)
        maps, logits = both(inputs, training=False)
        logit = logits[:, 2]
    gradient = np.asarray(tape.gradient(logit, maps), np.float64)[0]
    expected = np.maximum(np.asarray(maps, np.float64)[0] @ gradient.mean(axis=(0, 1)), 0)
    result = explain(graph.model, layer, picture, 2)
    assert expected.max() > 0
    np.testing.assert_allclose(result.heat, expected, atol=1e-6 * expected.max())
    assert result.score == pytest.approx(float(logits[0, 2]), abs=1e-6)


HEAD = np.array([[3.0, -1.0, 0.5], [-1.0, 2.0, 0.0]])


def flatten_head() -> keras.Model:
    """The two maps of `classifier`, flattened, with a weight of its own for each value; linear, one unit."""
    maps = classifier(np.eye(2), "linear").get_layer("maps")
    inputs = keras.Input((3, 3, 3))
    outputs = keras.layers.Dense(2, use_bias=False, name="out")(keras.layers.Flatten()(maps(inputs)))
    model = keras.Model(inputs, outputs)
    weights = np.arange(18, dtype=np.float32) - 6
    model.get_layer("out").set_weights([np.stack([weights, -weights], axis=1)])
    return model


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam"])
def test_methods_coincide_with_average_pooling_and_one_dense_layer(method: str) -> None:
    graph = flatten(classifier(HEAD, "softmax"))
    result = explain(graph.model, last_maps(graph.layers), photograph(), 0, method)
    np.testing.assert_allclose(result.heat, np.maximum(3 * RED - BLUE, 0) / 9, rtol=1e-6)


def test_hires_cam_and_layer_cam_keep_the_gradient_of_each_position_by_hand() -> None:
    """Behind Flatten, the gradient at (row, column, channel) is the weight 6 row + 2 column + channel - 6."""
    graph = flatten(flatten_head())
    layer = select(graph.layers, ["maps"])[0]
    gradient = (np.arange(18) - 6.0).reshape(3, 3, 2)
    maps = np.stack([RED, BLUE], axis=-1)
    hires = explain(graph.model, layer, photograph(), 0, "hires_cam")
    np.testing.assert_allclose(hires.heat, np.maximum((gradient * maps).sum(axis=-1), 0), rtol=1e-6)
    assert hires.score == pytest.approx((gradient * maps).sum(), rel=1e-6)
    of_layer = explain(graph.model, layer, photograph(), 0, "layer_cam")
    expected = (np.maximum(gradient, 0) * maps).sum(axis=-1)
    np.testing.assert_allclose(of_layer.heat, expected, rtol=1e-6)
    weights = gradient.mean(axis=(0, 1))
    of_mean = explain(graph.model, layer, photograph(), 0, "grad_cam")
    np.testing.assert_allclose(of_mean.heat, np.maximum(maps @ weights, 0), rtol=1e-6)


def test_grad_cam_plus_plus_by_hand() -> None:
    """With a gradient g at all positions, alpha is g² / (2 g² + g³ sum of the map), the weight 9 alpha g."""
    graph = flatten(classifier(HEAD, "softmax"))
    result = explain(graph.model, last_maps(graph.layers), photograph(), 0, "grad_cam_plus_plus")
    gradient = 3 / 9
    alpha = gradient**2 / (2 * gradient**2 + gradient**3 * RED.sum())
    np.testing.assert_allclose(result.heat, 9 * alpha * gradient * RED, rtol=1e-6)  # blue has a negative one


def test_grad_cam_plus_plus_with_another_gradient_at_each_position_by_hand() -> None:
    """Equation 19: alpha is g² / (2 g² + S g³), where S is the sum of the map. Here S is 10.

    A gradient of 1 has alpha = 1 / 12, one of 2 has 4 / (8 + 80). A negative one adds nothing.
    """
    maps = np.array([[1.0, 2], [3, 4]])[..., None]
    gradient = np.array([[1.0, 2], [0, -1]])[..., None]
    (weight,) = weighted_positive_gradient(maps, gradient)
    assert weight == pytest.approx(1 / 12 + 2 * 4 / 88)


def test_eigen_cam_does_not_depend_on_the_class_and_its_sum_is_positive() -> None:
    graph = flatten(classifier(HEAD, "softmax"))
    layer = last_maps(graph.layers)
    first, second = (explain(graph.model, layer, photograph(), index, "eigen_cam") for index in (0, 1))
    np.testing.assert_array_equal(first.heat, second.heat)
    positions = np.stack([RED, BLUE], axis=-1).reshape(9, 2)
    values, vectors = np.linalg.eigh(positions.T @ positions)
    expected = np.abs(positions @ vectors[:, np.argmax(values)]).reshape(3, 3)  # both maps are 0 or more
    np.testing.assert_allclose(first.heat, expected, rtol=1e-5)
    assert not METHODS["eigen_cam"].depends_on_class


def test_finer_cam_explains_the_difference_from_the_nearest_classes_by_hand() -> None:
    model = classifier(HEAD, "softmax")
    graph = flatten(model)
    logits = np.array([RED.mean(), BLUE.mean()]) @ HEAD
    shares = np.exp(logits[1:]) / np.exp(logits[1:]).sum()
    weights = HEAD[:, 0] - HEAD[:, 1:] @ shares
    result = explain(graph.model, last_maps(graph.layers), photograph(), 0, "finer_cam")
    expected = np.maximum(weights[0] * RED + weights[1] * BLUE, 0) / 9
    np.testing.assert_allclose(result.heat, expected, rtol=1e-5, atol=1e-6)
    assert result.score == pytest.approx(logits[0], rel=1e-6)


def test_targets_by_hand() -> None:
    np.testing.assert_array_equal(of_class(2, 4), [0, 0, 1, 0])
    np.testing.assert_array_equal(of_class(0, 1), [-1])
    target = against_nearest(of_class(1, 5), np.array([0.0, 1.0, 1.0, -9.0, 2.0]))
    shares = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    np.testing.assert_allclose(target, [-shares[0], 1, -shares[1], 0, -shares[2]], rtol=1e-6)
    np.testing.assert_array_equal(against_nearest(of_class(0, 1), np.array([3.0])), [-1])


@pytest.mark.parametrize("method", METHODS)
def test_a_graph_and_single_operations_give_the_same_heat(method: str) -> None:
    graph = flatten(classifier(HEAD, "softmax"))
    layer, target = last_maps(graph.layers), of_class(0, 3)[None].repeat(20, axis=0)
    pictures = np.random.default_rng(0).uniform(0, 3, (20, 3, 3, 3)).astype(np.float32)
    pictures[0] = photograph()[0]
    plain, traced = (
        ClassActivation(graph.model, [layer], method, compiled=compiled)(pictures, target)
        for compiled in (False, True)
    )
    assert len(plain) == 20  # more than a batch
    for one, other in zip(plain, traced, strict=True):
        np.testing.assert_allclose(one.heat, other.heat, rtol=1e-5, atol=1e-6)
        assert one.score == pytest.approx(other.score, rel=1e-5)
    (alone,) = ClassActivation(graph.model, [layer], method)(photograph(), target[:1])
    np.testing.assert_allclose(plain[0].heat, alone.heat, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["grad_cam", "finer_cam", "gradient"])
@pytest.mark.parametrize("compiled", [False, True])
def test_targets_can_depend_on_the_probabilities(method: str, compiled: bool) -> None:
    """The heat is that of the chosen targets, also after a change of the weights between two calls."""
    graph = flatten(classifier(HEAD, "softmax"))
    explain = ClassActivation(graph.model, [last_maps(graph.layers)], method, compiled=compiled)
    pictures = np.random.default_rng(0).uniform(0, 3, (4, 3, 3, 3)).astype(np.float32)
    for factor in (1, 2):
        graph.model.set_weights([factor * weights for weights in graph.model.get_weights()])
        given: list[np.ndarray] = []

        def choose(probabilities: np.ndarray, given: list[np.ndarray] = given) -> np.ndarray:
            given.append(probabilities)
            return np.stack([of_class(int(row.argmin()), 3) for row in probabilities])

        heats = explain.of_predictions(pictures, choose)
        np.testing.assert_allclose(given[0], np.asarray(graph.model(pictures)), rtol=1e-5)
        expected = ClassActivation(graph.model, [last_maps(graph.layers)], method)(pictures, choose(given[0]))
        again = explain(pictures, choose(given[0]))  # the maps of of_predictions are not used twice
        for heat, other, repeated in zip(heats, expected, again, strict=True):
            np.testing.assert_allclose(heat.heat, other.heat, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(repeated.heat, other.heat, rtol=1e-5, atol=1e-6)
            assert heat.score == pytest.approx(other.score, rel=1e-5)


def test_the_maps_are_computed_once_for_probabilities_and_heat(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = flatten(classifier(HEAD, "softmax"))
    explain = ClassActivation(graph.model, [last_maps(graph.layers)])
    convolution, passes = graph.model.get_layer("maps"), []
    call = convolution.call
    monkeypatch.setattr(convolution, "call", lambda *given: (passes.append(1), call(*given))[1])
    explain.of_predictions(photograph(), lambda probabilities: of_class(0, 3)[None])
    assert passes == [1]


def test_flips_give_the_mirrored_heat_of_the_mirrored_photograph() -> None:
    graph = flatten(flatten_head())
    explain_both = ClassActivation(graph.model, [select(graph.layers, ["maps"])[0]], flips=True)
    target = of_class(0, 2)[None]
    mirrored = np.ascontiguousarray(photograph()[:, :, ::-1])
    (heat,), (other,) = explain_both(photograph(), target), explain_both(mirrored, target)
    np.testing.assert_allclose(heat.heat, other.heat[:, ::-1], rtol=1e-6)
    assert heat.score != other.score


def test_the_heat_of_several_layers_is_the_mean_or_the_product_of_their_relative_heats() -> None:
    graph = flatten(with_branches(keras.layers.Add()))
    layers = select(graph.layers, ["inside", "after"])
    target = of_class(0, 2)[None]
    alone = [ClassActivation(graph.model, [layer])(photograph(), target)[0] for layer in layers]
    for merge, function in (("mean", np.mean), ("product", np.prod)):
        (both,) = ClassActivation(graph.model, layers, merge=merge)(photograph(), target)
        expected = function([relative(result.heat) for result in alone], axis=0)
        np.testing.assert_allclose(both.heat, expected, rtol=1e-6)
        assert both.heat.max() > 0


@pytest.mark.parametrize(
    ("layers", "averaged"),
    [
        ([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4, activation="relu")], True),
        ([keras.layers.Dropout(0.5), keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.5)], True),
        ([keras.layers.Flatten()], False),
        ([keras.layers.ReLU(), keras.layers.GlobalAveragePooling2D()], False),
        ([keras.layers.GlobalMaxPooling2D()], False),
    ],
)
def test_grad_cam_and_hires_cam_are_equal_before_global_average_pooling(
    layers: list[keras.layers.Layer], averaged: bool
) -> None:
    keras.utils.set_random_seed(0)
    start = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="maps")]
    graph = flatten(keras.Sequential([*start, *layers, keras.layers.Dense(3, activation="softmax")]))
    layer = select(graph.layers, ["maps"])[0]
    assert is_averaged(graph.model, layer) is averaged
    picture = np.random.default_rng(0).uniform(size=(1, 8, 8, 3)).astype(np.float32)
    one, other = (explain(graph.model, layer, picture, 1, name).heat for name in ("grad_cam", "hires_cam"))
    assert np.allclose(one, other, rtol=1e-5, atol=1e-7) is averaged
    assert default_method(graph.model, layer) == ("grad_cam" if averaged else "hires_cam")


def test_maps_that_are_also_used_without_pooling_are_not_averaged() -> None:
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3, name="maps")(inputs)
    both = [keras.layers.GlobalAveragePooling2D()(maps), keras.layers.GlobalMaxPooling2D()(maps)]
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Concatenate()(both))
    graph = flatten(keras.Model(inputs, outputs))
    assert not is_averaged(graph.model, select(graph.layers, ["maps"])[0])


def test_an_unknown_method_is_refused_with_similar_ones() -> None:
    graph = flatten(classifier(HEAD, "softmax"))
    with pytest.raises(ConvscopeError, match=r"no class_activation\.method 'cam': did you mean grad_cam"):
        ClassActivation(graph.model, [last_maps(graph.layers)], "cam")
