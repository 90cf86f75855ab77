"""Memory: an estimate of the need of a training step, and the free memory of the machine."""

import math
from contextlib import suppress
from pathlib import Path

import keras

# The measured peak of a step as a share of the estimate: the lowest and the highest value
PEAK = (1 / 1.9, 1 / 0.94)
_CGROUP = Path("/sys/fs/cgroup")
_OVERHEAD = 600 * 2**20  # bytes for TensorFlow itself, its graph and its threads
_COPIES = 2.0  # copies of a layer's output: one for backpropagation, one for the gradient; see the tests


def needed(model: keras.Model, batch_size: int, *, slots: int = 2, half: bool = False) -> int:
    """Return an estimate of the memory for training in bytes; it is right within a factor of two.

    Args:
        model: the model. Outputs before its first trainable layer are not kept for backpropagation.
        batch_size: pictures per step.
        slots: numbers that the optimizer stores per weight; Adam stores two.
        half: whether the layers compute in 16 bits.
    """
    weights = sum(math.prod(weight.shape) for weight in model.weights)
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    outputs = [_size(layer) for layer in model.layers]
    first = next((index for index, layer in enumerate(model.layers) if layer.trainable_weights), 0)
    kept = sum(outputs[first:]) + 2 * max(outputs[:first], default=0)
    return int(
        _OVERHEAD + 4 * (weights + trained * (1 + slots)) + batch_size * kept * _COPIES * (2 if half else 4)
    )


def is_exhaustion(error: Exception) -> bool:
    """Return whether an error of Python or TensorFlow says that memory is exhausted."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def total() -> int | None:
    """Return the memory of this machine or container in bytes, None on systems without /proc/meminfo."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        size = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal"))
    except (OSError, StopIteration, ValueError):
        return None
    with suppress(OSError, ValueError):  # no limit, or "max"
        size = min(size, int((_CGROUP / "memory.max").read_text()))
    return size


def available() -> int | None:
    """Return the free memory of this process in bytes, None on systems without /proc/meminfo."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None
    try:  # the limit of a container
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        statistics = (_CGROUP / "memory.stat").read_text().split()
        cached = int(statistics[statistics.index("inactive_file") + 1])  # Linux frees this cache on demand
        free = min(free, limit - used + cached)
    except (OSError, ValueError):
        pass  # no limit, or "max"
    return free


def _size(layer: keras.layers.Layer) -> int:
    """Return the number of values in a layer's output for one picture; 0 for a batch normalization."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return 0
    shapes = [tensor.shape[1:] for tensor in keras.tree.flatten(layer.output)]
    return sum(math.prod(side or 1 for side in shape) for shape in shapes)
