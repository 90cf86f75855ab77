"""Estimates of the work of a network, and how a limited amount of work is divided.

The unit is a floating-point operation of a convolution. The estimates do not depend on the machine or on what
else runs on it, so that the same command gives the same result.
"""

import math
from collections.abc import Mapping, Sequence

from convscope.graph import Layer, flops_of

PER_MINUTE = 60 * 50e9  # on two cores of a server
_PER_VALUE = 25  # operations that take as long as to write a value and to read it again


def work_of(layer: Layer) -> float:
    """Return the work of a layer for one image; a side that depends on the input counts as one."""
    return flops_of(layer) + _PER_VALUE * values_of(layer)


def work_of_measuring(layer: Layer) -> float:
    """Return the work of finding the peaks and the means of a layer for one image."""
    return 2 * _PER_VALUE * values_of(layer)


def values_of(layer: Layer) -> int:
    """Return the number of values of a layer's output for one image; see `work_of`."""
    return math.prod(side or 1 for side in layer.shape)


def divided(works: Mapping[str, float], wanted: Mapping[str, int], budget: float) -> dict[str, int]:
    """Divide a budget among layers: how many channels of each layer can be computed.

    The layers with the least work come first. Each gets an equal share of what is left; what it does not need
    is left for the others.

    Args:
        works: the work for one channel of each layer.
        wanted: the number of channels of each layer.
        budget: the work for all layers together.
    """
    result = {}
    order = sorted(works, key=lambda path: works[path] * wanted[path])
    for done, path in enumerate(order):
        share = budget / (len(order) - done)
        result[path] = wanted[path] if not works[path] else min(wanted[path], int(share / works[path]))
        budget -= result[path] * works[path]
    return {path: result[path] for path in works}


def evenly_limited(counts: Sequence[int], most: int) -> list[int]:
    """Return how many of each group to take so that the sum is at most `most`: as equally as possible."""
    limit = max(counts, default=0)
    while limit and sum(min(count, limit) for count in counts) > most:
        limit -= 1
    return [min(count, limit) for count in counts]
