"""Gradients: the one place that knows how the backend takes them."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def value_and_gradient(function: Callable[[Any], Any], point: Any) -> tuple[Any, Any]:
    """The function's value at `point`, and the gradient of that value's sum.

    Args:
        function: of a tensor; its result has any shape.
        point: a tensor.

    Returns:
        the function's result, and a tensor of `point`'s shape.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:  # gradients of weights are not needed
        tape.watch(point)
        value = function(point)
    return value, tape.gradient(value, point)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a graph (not by XLA, which is several times slower on CPUs here)."""
    return tf.function(function, jit_compile=False, reduce_retracing=True)
