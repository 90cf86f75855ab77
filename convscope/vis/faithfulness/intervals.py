"""Means over pictures with bootstrap intervals."""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % interval; `count` is the number of values."""

    mean: float
    low: float
    high: float
    count: int


def bootstrap(values: np.ndarray, seed: int) -> Interval | None:
    """Return the mean of values, float (n,), with the percentiles 2.5 and 97.5 of resampled means.

    Unknown values, NaN, are left out; without values, the result is None.
    """
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if not known.size:
        return None
    chosen = np.random.default_rng(seed).integers(len(known), size=(RESAMPLES, len(known)))
    low, high = np.percentile(known[chosen].mean(axis=1), (2.5, 97.5))
    return Interval(float(known.mean()), float(low), float(high), len(known))
