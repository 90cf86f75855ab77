"""Gradients of the TensorFlow backend."""

from collections.abc import Callable, Iterator
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


def gradients_of_each(
    function: Callable[[Any], tuple[list[Any], list[Any]]], inputs: Any
) -> tuple[list[Any], Iterator[list[Any]]]:
    """Return the gradients of several scores at tensors inside a computation.

    Args:
        function: a function of `inputs` that returns the scores and the points, tensors that it computes on
            its way to the scores. The gradient of a score is that of the sum of its values.
        inputs: a tensor.

    Returns:
        the points, and for each score the gradients at all points, of their shapes; zero at points that the
        score does not depend on.
    """
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        scores, points = function(inputs)
    zero = tf.UnconnectedGradients.ZERO
    return points, (tape.gradient(score, points, unconnected_gradients=zero) for score in scores)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as a graph, without XLA: on CPUs, XLA is several times slower here."""
    return tf.function(function, jit_compile=False, reduce_retracing=True)
