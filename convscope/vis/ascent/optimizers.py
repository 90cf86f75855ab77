"""Optimizers: how a gradient changes the variable of a parametrization."""

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import tensorflow as tf

Optimizer = Callable[[Any], tuple[Callable[[Any], None], list[Any]]]
"""A function of a `tf.Variable`.

It returns a function that changes the variable along a gradient, and the variables of the optimizer's state.
"""


@cache  # equal optimizers are one object, so that equal recipes are traced once
def adam(rate: float) -> Optimizer:
    """Return Adam with a learning rate."""
    return lambda variable: _of_keras(keras.optimizers.Adam(rate), variable)


@cache
def nadam(rate: float) -> Optimizer:
    """Return Adam with Nesterov momentum, with a learning rate."""
    return lambda variable: _of_keras(keras.optimizers.Nadam(rate), variable)


@cache
def normalized(rate: float) -> Optimizer:
    """Return steps of one length: the rate times the gradient of each picture, divided by its norm.

    F. Chollet, Deep Learning with Python, second edition, listing 9.20.
    """

    def build(variable: Any) -> tuple[Callable[[Any], None], list[Any]]:
        def step(gradient: Any) -> None:
            axes = list(range(1, len(gradient.shape)))
            variable.assign_add(rate * tf.math.l2_normalize(gradient, axes))

        return step, []

    return build


def _of_keras(
    optimizer: keras.optimizers.Optimizer, variable: Any
) -> tuple[Callable[[Any], None], list[Any]]:
    optimizer.build([variable])
    return lambda gradient: optimizer.apply([-gradient], [variable]), optimizer.variables
