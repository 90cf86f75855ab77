"""Memory: what a training step needs, roughly, and what the machine has left."""

import math
from pathlib import Path

import keras

_CGROUP = Path("/sys/fs/cgroup")
_OVERHEAD = 600 * 2**20  # bytes: TensorFlow itself, its graph, its threads
_COPIES = 2.0  # of a layer's output: for the way back, and for what is computed from it; see tests


def needed(model: keras.Model, batch_size: int, *, slots: int = 2, half: bool = False) -> int:
    """Bytes that training takes, within a factor of two of what was measured.

    Args:
        model: what of it is trainable counts: outputs below the lowest trainable layer need not be kept.
        batch_size: pictures a step.
        slots: numbers that the optimizer keeps for each weight; Adam has two.
        half: whether layers compute in 16 bits.
    """
    weights = sum(math.prod(each.shape) for each in model.weights)
    trained = sum(math.prod(each.shape) for each in model.trainable_weights)
    outputs = [_size(layer) for layer in model.layers]
    first = next((index for index, layer in enumerate(model.layers) if layer.trainable_weights), 0)
    kept = sum(outputs[first:]) + 2 * max(outputs[:first], default=0)
    return int(
        _OVERHEAD + 4 * (weights + trained * (1 + slots)) + batch_size * kept * _COPIES * (2 if half else 4)
    )


def available() -> int | None:
    """Bytes that this process may still take, None where the system does not say (Linux does)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None
    try:  # the limit of a container
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        statistics = (_CGROUP / "memory.stat").read_text().split()
        cached = int(statistics[statistics.index("inactive_file") + 1])  # given back when it is needed
        free = min(free, limit - used + cached)
    except (OSError, ValueError):
        pass  # none, or "max"
    return free


def _size(layer: keras.layers.Layer) -> int:
    """Numbers in a layer's output for one picture; nothing keeps that of a normalisation."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return 0
    shapes = [tensor.shape[1:] for tensor in keras.tree.flatten(layer.output)]
    return sum(math.prod(side or 1 for side in shape) for shape in shapes)
