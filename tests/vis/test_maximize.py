"""Gradient ascent: one traced graph for all batches of a layer, and an end when nothing is gained."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from convscope.graph import flatten
from convscope.models import small_convnet
from convscope.preprocessing import by_name
from convscope.vis.ascent import patterns
from convscope.vis.ascent.maximize import Ascent, Network, Recipe, maximize
from convscope.vis.ascent.objectives import At, Measure, channel, mean, whole_layer
from convscope.vis.ascent.optimizers import nadam, normalized
from convscope.vis.ascent.parametrizations import Fourier
from convscope.vis.ascent.patterns import BATCH, Settings, maximize_channels
from convscope.vis.ascent.transforms import Jitter

RECIPE = Recipe(Fourier(32), nadam(0.5), (Jitter(),), 12)


class Counted:
    """The mean response; `traces` counts the calls, one for each traced graph."""

    traces = 0

    def __call__(self, values: Any, directions: Any) -> Any:
        self.traces += 1
        return mean(values, directions)


def small_network() -> Network:
    keras.utils.set_random_seed(2)
    graph = flatten(small_convnet.build(3, input_size=40, widths=(6, 8)))
    return Network(graph.model, graph.layers, by_name("unit_range"))


def ascent(network: Network, channels: Any, recipe: Recipe = RECIPE, measure: Measure = mean) -> Ascent:
    objectives = [channel("conv2d_2", index, measure) for index in channels]
    return maximize(network, objectives, recipe, seeds=list(channels))


def test_batches_of_one_layer_are_traced_once_and_do_not_influence_each_other() -> None:
    network, measure = small_network(), Counted()
    ascent(network, [0, 1, 2], measure=measure)
    later = ascent(network, [5, 3, 4], measure=measure)
    assert measure.traces == 1
    first = ascent(small_network(), [5, 3, 4])
    for name in ("pictures", "growth", "sensitivity", "variables"):
        np.testing.assert_array_equal(getattr(later, name), getattr(first, name))


def test_batches_and_restarts_of_the_view_are_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(2)
    model = small_convnet.build(3, input_size=40, widths=(6, BATCH + 4))
    kernel, bias = model.get_layer("conv2d_2").get_weights()
    kernel[..., 0] = -np.abs(kernel[..., 0])  # after a ReLU: silent for every picture
    model.get_layer("conv2d_2").set_weights([kernel, bias - 0.01])
    graph = flatten(model)
    network = Network(graph.model, graph.layers, by_name("unit_range"))
    measure = Counted()
    build, _ = patterns.METHODS["book"]
    monkeypatch.setitem(patterns.METHODS, "book", (build, measure))
    found = maximize_channels(network, "conv2d_2", range(BATCH + 4), Settings("book", 32, 4))
    assert found.restarts[0] == patterns.RESTARTS
    assert measure.traces == 1


def test_an_ascent_ends_when_no_picture_gains() -> None:
    recipe = Recipe(Fourier(32, contrast=None), nadam(1.0), (), 200, 16)
    steps: list[int] = []
    network = small_network()
    objectives = [channel("conv2d_2", index, At()) for index in (1, 4)]
    found = maximize(network, objectives, recipe, seeds=[1, 4], on_step=steps.append)
    complete = maximize(network, objectives, replace(recipe, window=0), seeds=[1, 4])
    taken = len(steps) - 1
    assert taken < 120
    assert sum(steps) == 2 * 200
    assert found.growth.shape == (2, 200)
    assert (found.growth[:, taken:] == found.growth[:, taken - 1 : taken]).all()
    assert (found.growth[:, -1] > 0.9 * complete.growth[:, -1]).all()


def test_a_picture_without_a_response_takes_all_steps() -> None:
    recipe = Recipe(Fourier(32), normalized(0.0), (), 8, 2)
    steps: list[int] = []
    silent = [-1 * whole_layer("conv2d_2")]
    maximize(small_network(), silent, recipe, seeds=[0], on_step=steps.append)
    assert steps == [1] * 8
    steps.clear()
    maximize(small_network(), [whole_layer("conv2d_2")], recipe, seeds=[0], on_step=steps.append)
    assert steps == [1] * 4 + [4]


def test_a_picture_ends_at_the_same_step_in_every_batch() -> None:
    recipe = Recipe(Fourier(32, contrast=None), nadam(1.0), (), 100, 6)
    network = small_network()
    several = ascent(network, [0, 1, 2, 3], recipe)
    ends = [len(set(growth)) for growth in several.growth]  # an ended picture has one value
    assert min(ends) < max(ends)
    for row in range(4):
        repeated = ascent(network, [row] * 4, recipe)
        np.testing.assert_array_equal(several.variables[row], repeated.variables[0])


def test_bfloat16_is_for_the_ascent_only() -> None:
    network = small_network()
    graph = flatten(network.model)
    half = Network(graph.model, graph.layers, network.preprocessing, bfloat16=True)
    whole, found = ascent(network, [1, 4]), ascent(half, [1, 4])
    assert (whole.variables != found.variables).any()
    responses = []
    for pictures in (whole.pictures, found.pictures):
        of_both = [each.values(["conv2d_2"], 32)(pictures.astype(np.float32))[0] for each in (network, half)]
        np.testing.assert_array_equal(*of_both)
        responses.append(np.asarray(of_both[0])[[0, 1], ..., [1, 4]].mean((1, 2)))
    assert (responses[1] > responses[0] - 0.03 * np.abs(responses[0])).all()


def test_depthwise_convolutions_stay_in_float32() -> None:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.Conv2D(4, 3, name="conv2d_2")(keras.layers.DepthwiseConv2D(3)(inputs))
    graph = flatten(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(outputs)))
    both = [
        ascent(Network(graph.model, graph.layers, by_name("unit_range"), bfloat16=half), [0, 1])
        for half in (False, True)
    ]
    np.testing.assert_array_equal(both[0].variables, both[1].variables)
