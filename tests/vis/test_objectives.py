from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.preprocessing import by_name
from convscope.vis.ascent import objectives as of
from convscope.vis.ascent.maximize import Network, Recipe, maximize
from convscope.vis.ascent.objectives import At, Objective
from convscope.vis.ascent.optimizers import adam, nadam, normalized
from convscope.vis.ascent.parametrizations import Fourier, Pixels
from convscope.vis.ascent.transforms import Crops, Jitter, Noise, Turn

# Two maps of 2x2: [[1, -2], [3, 4]] and [[10, 0], [-5, 7]].
MAPS = tf.constant([[[[1.0, 10], [-2, 0]], [[3, -5], [4, 7]]]])
FIRST, BOTH = tf.constant([[1.0, 0]]), tf.constant([[2.0, 1]])  # 2a + b is [[12, -4], [1, 15]]


@pytest.mark.parametrize(
    ("measure", "directions", "expected"),
    [
        (of.mean, FIRST, 1.5),
        (of.mean, BOTH, 6.0),
        (of.mean_positive, FIRST, (1 + 3 + 4) / 4),
        (of.mean_positive, BOTH, (12 + 1 + 15) / 4),
        (At(), BOTH, 15.0),  # row 1, column 1
        (At(0), BOTH, -4.0),
        (At(1, 0), FIRST, 3.0),
        (of.mean_square, FIRST, (1 + 4 + 9 + 16 + 100 + 0 + 25 + 49) / 8),
    ],
)
def test_measures_of_maps_by_hand(measure: of.Measure, directions: tf.Tensor, expected: float) -> None:
    np.testing.assert_allclose(measure(MAPS, directions), [expected], rtol=1e-6)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (of.mean, [4.0, -3.0]),
        (of.mean_positive, [4.0, -3.0]),
        (At(5, 5), [4.0, -3.0]),
        (of.mean_square, [5.0, 5.0]),
    ],
)
def test_measures_of_units_by_hand(measure: of.Measure, expected: list[float]) -> None:
    values = tf.constant([[1.0, 3], [-1, -3]])
    np.testing.assert_allclose(measure(values, tf.constant([[1.0, 1], [0, 1]])), expected, rtol=1e-6)


def test_the_mean_positive_response_of_a_silent_channel_is_its_highest_response() -> None:
    silent = tf.constant([[[[-3.0], [-1.0]]]])
    assert of.mean_positive(silent, tf.constant([[1.0]])) == -1


def test_similarity_by_hand() -> None:
    """Three pictures of two positions."""
    maps = tf.constant([[[[1.0, 0], [0, 1]]], [[[2, 0], [0, 0]]], [[[1, 1], [0, 0]]]])
    one, two, three = np.eye(2) / np.sqrt(2), np.diag([1, 0]), np.full((2, 2), 0.5)
    first, second, third = (one * two).sum(), (one * three).sum(), (two * three).sum()
    expected = np.array([first + second, first + third, second + third]) / 3
    np.testing.assert_allclose(of.similarity(maps, None), expected, rtol=1e-6)
    np.testing.assert_allclose(of.similarity(maps[:1], None), [0], atol=1e-7)


def network() -> Network:
    """Red less green and blue plus one, then a ReLU, their means over the picture, and three logits."""
    inputs = keras.Input((6, 6, 3))
    maps = keras.layers.Conv2D(2, 1, activation="relu", name="maps")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(maps)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="out")(pooled))
    kernel = np.array([[1, 0], [-1, 0], [0, 1]], np.float32).reshape(1, 1, 3, 2)
    model.set_weights([kernel, np.array([0, 1]), np.array([[1, 0, 2], [0, 1, -1]]), np.array([0, 0, 0.5])])
    graph = flatten(model)
    return Network(graph.model, graph.layers, by_name("unit_range"))


PICTURE = np.zeros((1, 6, 6, 3), np.float32)  # red less green is 0.4 everywhere, blue plus one 1.2
PICTURE[...] = 153, 51, 51


def value(objective: Objective) -> float:
    return float(network().measure([objective], PICTURE)[0])


def test_objectives_by_hand() -> None:
    first, second = of.channel("maps", 0, of.mean), of.channel("maps", 1, of.mean)
    for objective, expected in (
        (first, 0.4),
        (first + second, 1.6),
        (first - second, -0.8),
        (-first, -0.4),
        (3 * (first + 2 * second) * 0.5, 1.5 * 2.8),
        (of.channel("maps", 0), 0.4),
        (of.direction("maps", [2, 0.5], of.mean), 1.4),
        (of.logit(2), 0.8 - 1.2 + 0.5),  # before softmax
        (of.channel("out", 2), 0.1),
        (of.whole_layer("maps"), (0.16 + 1.44) / 2),
    ):
        assert value(objective) == pytest.approx(expected, abs=2e-6), objective


def test_distance_is_the_mean_square_in_units_of_the_range() -> None:
    black = np.zeros((6, 6, 3), np.uint8)
    assert value(of.distance(black)) == pytest.approx(-(0.36 + 0.04 + 0.04) / 3)
    assert value(of.logit(0) - -of.distance(black, 3)) == pytest.approx(-0.04, abs=1e-6)
    with pytest.raises(ConvscopeError, match=r"float32 \(6, 6, 3\): expected uint8"):
        of.distance(PICTURE[0])


def test_a_layer_is_measured_before_its_activation() -> None:
    green = tf.constant(PICTURE[..., [1, 0, 2]])
    assert network().measure([of.channel("maps", 0, of.mean)], green) == pytest.approx(-0.4)


def test_a_picture_with_several_copies_gets_their_mean() -> None:
    pictures = np.concatenate([PICTURE, 0 * PICTURE, PICTURE, PICTURE])
    both = [of.channel("maps", 0, of.mean), of.channel("maps", 1, of.mean)]
    np.testing.assert_allclose(network().measure(both, pictures), [0.2, 1.2], rtol=1e-5)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ([of.logit(0), of.channel("maps", 0)], "differ in layers, measures or factors"),
        ([of.logit(0), 2 * of.logit(0)], "differ in layers, measures or factors"),
        ([of.channel("maps", 0), of.channel("maps", 0, At())], "differ in layers, measures or factors"),
        ([of.channel("map", 0)], "no layer 'map': did you mean maps"),
        ([of.channel("maps", 2)], "no channel 2 in maps: expected 0 to 1"),
        ([of.channel("maps", -1)], "no channel -1 in maps"),
        (
            [of.direction("maps", [1, 2, 3])],
            r"a direction of shape \(3,\) does not fit maps: expected \(2,\)",
        ),
        ([of.channel("maps", 0, At(6))], r"no position \(6, 3\) in maps of 6×6"),
        (
            [of.distance(np.zeros((5, 6, 3), np.uint8))],
            r"shape \(5, 6, 3\) does not fit pictures of \(6, 6, 3\)",
        ),
    ],
)
def test_wrong_objectives_are_refused_in_one_line(objectives: list[Objective], message: str) -> None:
    with pytest.raises(ConvscopeError, match=message) as error:
        maximize(network(), objectives, Recipe(Pixels(6), adam(1), (), 1), seeds=range(len(objectives)))
    assert len(str(error.value).splitlines()) == 1


def random_network() -> Network:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="maps")(inputs)
    deep = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="deep")(maps)
    pooled = keras.layers.GlobalAveragePooling2D()(deep)
    graph = flatten(keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(pooled)))
    return Network(graph.model, graph.layers, by_name("minus_one_to_one"))


PHOTOGRAPH = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
OBJECTIVES: dict[str, Callable[[int], Objective]] = {
    "mean": lambda index: of.channel("deep", index, of.mean),
    "mean and peak": lambda index: of.channel("deep", index),
    "centre": lambda index: of.channel("deep", index, At()),
    "direction": lambda index: of.direction("deep", np.eye(4)[index] - 0.3),
    "logit": of.logit,
    "difference of logits": lambda index: of.logit(index) - of.logit(1 - index),
    "layer": lambda _: of.whole_layer("deep"),
    "diversity": lambda _: of.diversity("maps", 1),
    "distance": lambda _: of.distance(PHOTOGRAPH),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_rises(name: str) -> None:
    objectives = [OBJECTIVES[name](0), OBJECTIVES[name](1)]
    recipe = Recipe(Fourier(16), nadam(0.1), (), 12)
    growth = maximize(random_network(), objectives, recipe, seeds=[0, 1]).growth
    assert (growth[:, -1] > growth[:, 0] + 1e-3 * np.abs(growth[:, 0])).all(), growth


@pytest.mark.parametrize("optimizer", [adam(2.0), nadam(2.0), normalized(20.0)])
def test_every_optimizer_raises_free_pixels(optimizer: object) -> None:
    recipe = Recipe(Pixels(16), optimizer, (), 6)  # type: ignore[arg-type]
    (growth,) = maximize(random_network(), [of.channel("deep", 2)], recipe, seeds=[0]).growth
    assert growth[-1] > growth[0]


def test_normalized_steps_have_the_length_of_the_rate() -> None:
    variable = tf.Variable(np.zeros((2, 2, 2), np.float32))
    step, _ = normalized(5.0)(variable)
    step(tf.constant([[[3.0, 0], [0, 4]], [[0, 0], [0, -1e-3]]]))
    np.testing.assert_allclose(variable, [[[3, 0], [0, 4]], [[0, 0], [0, -5]]], rtol=1e-5)


def edge() -> np.ndarray:
    """An edge at 45 degrees, black above and white below."""
    row, column = np.mgrid[-3:4, -3:4]
    profile = np.tanh((row + column) / 2) * np.exp(-(row**2 + column**2) / 8)
    return np.repeat(profile[..., None], 3, -1)


def blob() -> np.ndarray:
    """A red disk on blue."""
    row, column = np.mgrid[-3:4, -3:4]
    return np.tanh(2.2 - np.hypot(row, column))[..., None] * np.array([1, 0, -1])


@pytest.mark.parametrize("kernel", [edge(), blob()], ids=["edge", "blob"])
def test_pattern_of_the_centre_unit_is_the_known_kernel(kernel: np.ndarray) -> None:
    inputs = keras.Input((24, 24, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 7, activation="relu", name="known")(inputs))
    model.set_weights([kernel[..., None] / np.abs(kernel).sum(), np.zeros(1)])
    graph = flatten(model)
    known = Network(graph.model, graph.layers, by_name("minus_one_to_one"))
    recipe = Recipe(Fourier(24), nadam(0.1), (), 64)
    (picture,) = maximize(known, [of.channel("known", 0, At())], recipe, seeds=[0]).pictures
    window = picture[9:16, 9:16].astype(float)  # the unit (9, 9) of 18×18 sees the pixels 9 to 15
    assert np.corrcoef(window.ravel(), kernel.ravel())[0, 1] > 0.9


# ---- transforms

PIXELS = tf.constant(np.random.default_rng(1).uniform(0, 255, (2, 9, 9, 3)), tf.float32)
SEED = tf.constant([3, 1])


@pytest.mark.parametrize("transform", [Jitter(), Jitter(2), Turn(), Crops(3, 5), Noise()])
def test_the_same_seed_gives_the_same_change(transform: Callable) -> None:
    first, again, other = (transform(PIXELS, seed, 0.5) for seed in (SEED, SEED, tf.constant([4, 1])))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1


def test_jitter_shifts_all_pictures_by_whole_pixels() -> None:
    for pixels in (None, 2):
        shifted = Jitter(pixels)(PIXELS, SEED, 0.0).numpy()
        limit = 9 if pixels is None else pixels + 1
        shifts = [
            (down, across)
            for down in range(limit)
            for across in range(limit)
            if (np.roll(PIXELS.numpy(), (down, across), (1, 2)) == shifted).all()
        ]
        assert len(shifts) == 1


def test_turn_without_degrees_and_factor_changes_nothing() -> None:
    np.testing.assert_allclose(Turn(0, 0)(PIXELS, SEED, 0.0), PIXELS, atol=1e-3)


def test_turn_keeps_the_centre_and_mirrors_the_border() -> None:
    turned = Turn(45, 0.3)(PIXELS, SEED, 0.0)
    np.testing.assert_allclose(turned[:, 4, 4], PIXELS[:, 4, 4], atol=1e-2)
    assert (
        PIXELS.numpy().min() - 1e-2
        <= turned.numpy().min()
        <= turned.numpy().max()
        <= PIXELS.numpy().max() + 1e-2
    )


def test_crops_shrink_and_stay_inside_of_their_picture() -> None:
    column = (
        tf.broadcast_to(tf.range(101.0)[None, None, :, None], (2, 101, 101, 3))
        + tf.constant([0.0, 1000]).numpy()[:, None, None, None]
    )
    for progress, side in ((0.0, 0.5), (0.5, 0.275)):
        crops = Crops(8, 5)(tf.constant(column), SEED, progress).numpy()
        assert crops.shape == (16, 5, 5, 3)
        for start, of_picture in ((0, crops[:8]), (1000, crops[8:])):
            assert start <= of_picture.min() <= of_picture.max() <= start + 100
        widths = (crops[:, 0, -1, 0] - crops[:, 0, 0, 0]) / 100
        assert widths.mean() == pytest.approx(side, abs=0.05)
        assert widths.std() > 0.01


def test_noise_has_its_deviation() -> None:
    noise = Noise(10.0)(PIXELS, SEED, 0.0) - PIXELS
    assert float(tf.math.reduce_std(noise)) == pytest.approx(10, rel=0.1)
    assert abs(float(tf.reduce_mean(noise))) < 1.5


def test_frames_show_the_ascent() -> None:
    recipe = Recipe(Fourier(16), nadam(0.1), (), 5)
    frames = maximize(random_network(), [of.logit(0)], recipe, seeds=[0], frame_every=2).frames
    assert frames is not None
    assert frames.shape == (1, 3, 16, 16, 3)  # after the steps 0, 2 and 4
