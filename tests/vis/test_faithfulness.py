"""The measures of maps: values by hand, and maps of linear models, which are known."""

import keras
import numpy as np
import pytest

from convscope.graph import flatten
from convscope.images import cells
from convscope.vis.class_activation.methods import ClassActivation
from convscope.vis.class_activation.targets import of_class
from convscope.vis.faithfulness import deletion, grid_pointing, localisation, road
from convscope.vis.faithfulness.controls import centred_gaussian, control, random_map
from convscope.vis.faithfulness.intervals import bootstrap
from convscope.vis.faithfulness.measures import MEASURES, Subject
from convscope.vis.faithfulness.scores import most_relevant_first, probability, spearman
from convscope.vis.layer_selection import select

SIDE = 16
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(0, 1, (SIDE, SIDE, 1))


def linear(pictures: np.ndarray) -> np.ndarray:
    """A classifier of two classes whose first logit is linear in the pixels; the second one is 0."""
    score = (pictures * WEIGHTS).sum(axis=(1, 2, 3))
    return np.stack([score, np.zeros_like(score)], axis=1).astype(np.float32)


def subject(index: int) -> Subject:
    """A picture with values of both signs and the mean 0, and a mask of its left half."""
    picture = np.random.default_rng(index).normal(0, 1, (SIDE, SIDE, 1)).astype(np.float32)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, : SIDE // 2] = True
    return Subject(linear, "softmax", picture - picture.mean(), of_class(0, 2), mask, index)


def contribution(example: Subject) -> np.ndarray:
    """Return what each pixel adds to the score of the linear model: its map without an error."""
    return (example.picture * WEIGHTS)[..., 0]


def test_single_deletion_by_hand() -> None:
    """The model sums the pixels of the first row of cells; only these cells have a drop."""
    picture = np.zeros((4, 4, 1), np.float32)
    picture[0, :, 0] = [3, 2, 1, 0]
    picture -= picture.mean()

    def first_row(pictures: np.ndarray) -> np.ndarray:
        return pictures[:, 0].sum(axis=(1, 2))[:, None]

    drops = deletion.cell_drops(first_row, picture, np.ones(1, np.float32))
    np.testing.assert_allclose(drops[0], np.array([3, 2, 1, 0]) - 6 / 16, rtol=1e-6)
    np.testing.assert_array_equal(drops[1:], 0)
    assert deletion.single_deletion(drops, drops) == pytest.approx(1)
    assert deletion.single_deletion(drops, -drops) == pytest.approx(-1)
    assert deletion.single_deletion(drops, np.ones((4, 4))) == 0


def test_spearman_ranks_equal_values_by_their_mean() -> None:
    """The ranks are 1, 2.5, 2.5, 4 and 1, 2, 3, 4: the covariance is 4.5, the squares 4.5 and 5."""
    assert spearman(np.array([0, 5, 5, 9]), np.array([1, 2, 3, 4])) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


def test_imputed_pixels_solve_the_dense_system() -> None:
    picture = RNG.normal(0, 1, (7, 9, 2)).astype(np.float32)
    removed = RNG.random((7, 9)) < 0.7
    system, known = np.zeros((63, 63)), np.zeros((63, 2))
    for row, column in np.ndindex(7, 9):
        here = row * 9 + column
        system[here, here] = 1
        if not removed[row, column]:
            known[here] = picture[row, column]
            continue
        near = [
            (other, 1 / 6 if abs(other[0] - row) + abs(other[1] - column) == 1 else 1 / 12)
            for other in np.ndindex(7, 9)
            if other != (row, column) and max(abs(other[0] - row), abs(other[1] - column)) == 1
        ]
        total = sum(weight for _, weight in near)
        for other, weight in near:
            system[here, other[0] * 9 + other[1]] = -weight / total
    expected = np.linalg.solve(system, known).reshape(7, 9, 2)
    result = road.imputed(picture, removed)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_array_equal(result[~removed], picture[~removed])


def test_one_imputed_pixel_by_hand() -> None:
    """In the middle, direct neighbours count 1/6 and diagonal ones 1/12; in a corner, 2/5, 2/5 and 1/5."""
    picture = np.arange(9, dtype=np.float32).reshape(3, 3, 1) ** 2
    removed = np.zeros((3, 3), bool)
    removed[1, 1] = True
    assert road.imputed(picture, removed)[1, 1, 0] == pytest.approx(
        (1 + 9 + 25 + 49) / 6 + (4 + 36 + 64) / 12
    )
    removed[:] = False
    removed[0, 0] = True
    assert road.imputed(picture, removed)[0, 0, 0] == pytest.approx((1 + 9) * 2 / 5 + 16 / 5)


def test_a_constant_region_stays_constant_when_most_of_it_is_removed() -> None:
    picture = np.full((12, 12, 3), 0.25, np.float32)
    removed = np.ones((12, 12), bool)
    removed[5, 5] = False
    np.testing.assert_allclose(road.imputed(picture, removed), 0.25, rtol=1e-5)


def test_deletion_and_insertion_by_hand() -> None:
    """The probability falls from p to 1/2 at the first of ten steps: only one pixel matters."""
    weights = np.zeros((10, 1, 1), np.float32)
    weights[3] = 1
    picture = np.where(weights > 0, 9, -1).astype(np.float32)  # its mean is 0

    def one_pixel(pictures: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(pictures * weights).sum(axis=(1, 2, 3), dtype=np.float64)))

    certain = 1 / (1 + np.exp(-9))
    best, worst = weights[..., 0], -weights[..., 0]
    # Trapezoids of width 0.1: half a step at p and 9.5 steps at 1/2, or the other way round.
    scores = [deletion.deletion(one_pixel, picture, heat, 0) for heat in (best, worst)]
    assert scores == pytest.approx([0.05 * certain + 0.95 / 2, 0.95 * certain + 0.05 / 2])
    best_insertion, worst_insertion = (
        deletion.insertion(one_pixel, picture, heat, 0) for heat in (best, worst)
    )
    assert best_insertion > 0.94 > 0.8 > worst_insertion


@pytest.mark.parametrize("name", ["single_deletion", "road", "deletion", "insertion"])
def test_the_map_of_a_linear_model_beats_chance_and_random_maps_do_not(name: str) -> None:
    """Single deletion of the contributions is 1, because a drop is the sum of the contributions."""
    measure, sign = MEASURES[name], -1 if MEASURES[name].lower_is_better else 1
    subjects = [subject(index) for index in range(60)]
    exact = np.array([measure.score(each, contribution(each)) for each in subjects])
    opposite = np.array([measure.score(each, -contribution(each)) for each in subjects])
    random = bootstrap(
        np.array([measure.score(each, random_map(SIDE, SIDE, each.seed + 999)) for each in subjects]), 0
    )
    assert random
    if name == "single_deletion":
        np.testing.assert_allclose(exact, 1)
    if measure.chance is not None:
        assert random.low <= measure.chance <= random.high
    assert sign * exact.mean() > max(sign * random.low, sign * random.high)
    assert sign * opposite.mean() < min(sign * random.low, sign * random.high)


def test_localisation_by_hand() -> None:
    mask = np.array([[True, True], [False, False]])
    heat = np.array([[4.0, -2.0], [1.0, 3.0]])
    assert localisation.pointing(heat, mask) == 1
    assert localisation.positive_share(heat, mask) == pytest.approx(4 / 8)
    assert localisation.relevance_rank(heat, mask, 0) == 1 / 2
    assert localisation.pointing(np.array([[1, 1], [1, 0]]), mask) == pytest.approx(2 / 3)


def test_a_perfect_map_has_all_evidence_and_a_zero_map_scores_as_chance() -> None:
    mask = np.zeros((8, 8), bool)
    mask[1:3, 2:7] = True
    perfect = mask + 0.1 * RNG.random((8, 8)) * mask
    for name in ("pointing", "relevance_mass", "relevance_rank"):
        example = Subject(linear, "softmax", np.zeros((8, 8, 1), np.float32), of_class(0, 2), mask, 0)
        assert MEASURES[name].score(example, perfect) == pytest.approx(1)
        if name != "relevance_rank":  # its pixels with equal values are in a random order
            assert MEASURES[name].score(example, np.zeros((8, 8))) == pytest.approx(mask.mean())
    ranks = np.array([localisation.relevance_rank(np.zeros((8, 8)), mask, seed) for seed in range(300)])
    interval = bootstrap(ranks, 0)
    assert interval
    assert interval.low <= mask.mean() <= interval.high


def test_equal_values_are_in_a_random_order_behind_higher_ones() -> None:
    heat = np.zeros((4, 4))
    heat[2, 1] = 1
    orders = [most_relevant_first(heat, seed) for seed in (0, 0, 1)]
    assert all(order[0] == 9 and sorted(order) == list(range(16)) for order in orders)
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()


def test_probability_of_one_logit_and_of_several() -> None:
    one = np.array([[np.log(3)]], np.float32)
    assert probability(one, of_class(1, 1), "sigmoid") == pytest.approx([0.75])
    assert probability(one, of_class(0, 1), "sigmoid") == pytest.approx([0.25])
    several = np.log(np.array([[1, 3, 4]], np.float32))
    assert probability(several, of_class(2, 3), "softmax") == pytest.approx([0.5])


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("softmax", 9 / 12), ("sigmoid", 9 / 10), (None, np.log(9)), ("linear", np.log(9))],
)
def test_probability_depends_on_the_activation(activation: str | None, expected: float) -> None:
    """The odds are 9, 2 and 1; without an activation, the outputs of the model are its probabilities."""
    logits = np.log(np.array([[9, 2, 1]], np.float32))
    assert probability(logits, of_class(0, 3), activation) == pytest.approx([expected])


def test_mosaics_have_one_correct_picture_of_their_class() -> None:
    labels = np.repeat(np.arange(5), 8)
    shares = np.random.default_rng(3).dirichlet(np.ones(5), 40) + 0.6 * np.eye(5)[labels]
    shares /= shares.sum(axis=1, keepdims=True)
    certain = shares.max(axis=1)
    found = grid_pointing.mosaics(shares, labels, limit=100, seed=0)
    correct = (shares.argmax(axis=1) == labels) & (certain > 0.5)
    owns = [mosaic.members[mosaic.own] for mosaic in found]
    assert set(owns) == set(np.flatnonzero(correct))
    assert list(certain[owns]) == sorted(certain[owns], reverse=True)
    for mosaic in found:
        of_members = labels[list(mosaic.members)]
        assert correct[list(mosaic.members)].all()
        assert (of_members == of_members[mosaic.own]).sum() == 1
        assert len(set(of_members)) == min(4, len(set(labels[correct])))
    assert grid_pointing.mosaics(shares, np.zeros(40, int), limit=100, seed=0) == []
    assert 5 < len(found) < 40
    assert len(grid_pointing.mosaics(shares, labels, limit=2, seed=0)) == 2


def test_a_mosaic_has_the_halved_pictures_in_its_cells() -> None:
    pictures = np.stack([np.full((6, 7, 3), value, np.float32) for value in (1, 2, 3, 4)])
    mosaic = grid_pointing.joined(pictures)
    for value, window in zip((1, 2, 3, 4), cells(6, 7, across=2), strict=True):
        np.testing.assert_allclose(mosaic[window], value, rtol=1e-6)
        heat = np.full((6, 7), -5.0)
        heat[window] = 1
        assert grid_pointing.own_share(heat, value - 1) == 1
    assert grid_pointing.own_share(np.zeros((6, 8)), 2) == 1 / 4
    random = bootstrap(np.array([grid_pointing.own_share(random_map(8, 8, i), i % 4) for i in range(200)]), 0)
    assert random
    assert random.low <= 1 / 4 <= random.high


def test_the_sum_of_a_linear_network_wins_the_grid_pointing_game() -> None:
    """A network that counts the pixels of each channel: its class is visible in its own cell only."""
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(3, 1, use_bias=False, name="maps")(inputs)
    outputs = keras.layers.Activation("softmax")(keras.layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(inputs, outputs)
    model.set_weights([np.eye(3, dtype=np.float32)[None, None]])
    graph = flatten(model)
    pure = np.stack([np.broadcast_to(np.eye(3)[index], (8, 8, 3)) for index in (0, 1, 2, 1)]).astype(
        np.float32
    )
    activation = ClassActivation(graph.model, select(graph.layers, ["maps"]), "grad_cam")
    (heatmap,) = activation(grid_pointing.joined(pure)[None], of_class(2, 3)[None])
    assert grid_pointing.own_share(heatmap.heat, 2) == 1


def test_bootstrap_intervals_are_reproducible_and_cover_the_mean() -> None:
    """The standard error of the mean of 400 values with deviation 1 is 0.05, the interval about ±0.098."""
    values = np.random.default_rng(0).normal(3, 1, 400)
    first, again = bootstrap(np.append(values, np.nan), 1), bootstrap(values, 1)
    assert first == again
    assert first
    assert first.count == 400
    assert first.mean == pytest.approx(values.mean())
    assert first.high - first.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert bootstrap(np.full(3, np.nan), 0) is None


def test_controls_are_seeded_and_centred() -> None:
    np.testing.assert_array_equal(control("random", 5, 6, 3), control("random", 5, 6, 3))
    bell = centred_gaussian(5, 7)
    assert np.unravel_index(bell.argmax(), bell.shape) == (2, 3)
    assert bell[2, 3] == 1
    np.testing.assert_allclose(bell, bell[::-1, ::-1])
