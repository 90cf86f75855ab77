"""Gradients of the TensorFlow backend."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def value_and_gradient(function: Callable[[Any], Any], point: Any) -> tuple[Any, Any]:
    """Return the value of a function at `point`, and the gradient of the sum of that value.

    Args:
        function: a function of a tensor; its result may have any shape.
        point: a tensor.

    Returns:
        the function's result, and a tensor of `point`'s shape.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:  # gradients of weights are not needed
        tape.watch(point)
        value = function(point)
    return value, tape.gradient(value, point)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as a graph, without XLA: on CPUs, XLA is several times slower here."""
    return tf.function(function, jit_compile=False, reduce_retracing=True)
