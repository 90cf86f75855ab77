"""Precision of the training: measure which one is fastest for a model. Saved models are float32."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convscope.graph import copied
from convscope.training.memory import is_exhaustion

FLOAT32, BFLOAT16, FLOAT16 = "float32", "mixed_bfloat16", "mixed_float16"
FEWEST_STEPS = 200  # for a shorter run, the measurement takes longer than it saves
WORTH = 1.1  # the required speed-up over float32
_STEPS = 4

Compile = Callable[[keras.Model], None]


def in_precision(model: keras.Model, precision: str) -> keras.Model:
    """Return a model to train in a precision; `model` itself is not compiled.

    In float32, the result shares the layers of `model`. Otherwise it is a copy: all its layers but the last
    compute in that precision, and `model.set_weights(copy.get_weights())` copies the trained weights back.
    Save `model` and not the result: Keras saves a compiled model with its optimizer, and a model in bfloat16
    loads as bfloat16.
    """
    if precision == FLOAT32:
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    copy = copied(model, _clone)
    for layer in copy.layers[:-1]:
        layer.dtype_policy = precision
    return copy


def _clone(layer: keras.layers.Layer) -> keras.layers.Layer:
    biased = type(layer) is keras.layers.Conv2D and layer.use_bias
    return (_Conv2D if biased else type(layer)).from_config(layer.get_config())


class _Conv2D(keras.layers.Conv2D):
    """A convolution that sums the gradient of its bias in float32.

    TensorFlow sums that gradient over all positions in the precision of the layer. bfloat16 cannot represent
    257, so up to half of the sum is lost; a small convnet loses 2 % accuracy.
    """

    def call(self, inputs: Any) -> Any:
        """Return the result of `keras.layers.Conv2D`."""
        return self.activation(_add_bias(self.convolution_op(inputs, self.kernel), self.bias))


def _add_bias(maps: Any, bias: Any) -> Any:
    """Add a bias to each channel; its gradient is a matrix product with ones: it accumulates in float32."""
    import tensorflow as tf

    @tf.custom_gradient
    def add(maps: Any, bias: Any) -> tuple[Any, Callable]:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
            ones = tf.ones((1, tf.shape(rows)[0]), rows.dtype)
            return upstream, tf.matmul(ones, rows)[0]

        return maps + bias, gradient

    return add(maps, tf.cast(bias, maps.dtype))


def on_graphics() -> bool:
    """Return whether TensorFlow uses a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def known_to_hardware() -> list[str]:
    """Return the precisions with native instructions on this machine, float32 first."""
    import tensorflow as tf

    if on_graphics():
        graphics = tf.config.list_physical_devices("GPU")
        details = tf.config.experimental.get_device_details(graphics[0])
        capability = details.get("compute_capability", (0, 0))
        return [
            FLOAT32,
            *([FLOAT16] if capability >= (7, 0) else []),
            *([BFLOAT16] if capability >= (8, 0) else []),
        ]
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    return [FLOAT32, *([BFLOAT16] if flags & {"amx_bf16", "avx512_bf16"} else [])]


def fastest(
    model: keras.Model, batch: tuple[np.ndarray, np.ndarray], compile_model: Compile
) -> tuple[str, dict[str, float]]:
    """Measure a training step in each precision; return the fastest, float32 if none is 10 % faster.

    Args:
        model: the model, which does not change.
        batch: pictures and labels with the batch size of the training.
        compile_model: a function that compiles a copy of the model.

    Returns:
        The name of the precision, and the seconds per step in each precision that fits into memory.
    """
    seconds = {}
    for precision in known_to_hardware():
        trial = in_precision(keras.models.clone_model(model), precision)
        compile_model(trial)
        try:
            seconds[precision] = _seconds_per_step(trial, batch)
        except Exception as error:
            if not is_exhaustion(error):
                raise
    return choose(seconds), seconds


def _seconds_per_step(model: keras.Model, batch: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the shortest duration of a training step."""
    model.train_on_batch(*batch)  # the first step builds the graph
    durations = []
    for _ in range(_STEPS):
        started = time.perf_counter()
        model.train_on_batch(*batch)
        durations.append(time.perf_counter() - started)
    return min(durations)


def choose(seconds: Mapping[str, float]) -> str:
    """Return the precision with the shortest step, or float32 if that step is less than 10 % faster.

    A precision without a duration does not fit into memory; without any, return float32.
    """
    best = min(seconds, key=lambda name: seconds[name], default=FLOAT32)
    worth_it = FLOAT32 not in seconds or seconds[FLOAT32] >= WORTH * seconds[best]
    return best if worth_it else FLOAT32
