"""Objectives: what gradient ascent raises. Objectives can be added, subtracted and multiplied by a number.

An objective is a sum of terms. A term measures a number at one tensor of the network for each picture of a
batch. See C. Olah, A. Mordvintsev, L. Schubert, Feature Visualization, Distill 2017.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from convscope.errors import ConvscopeError

LOGITS = "logits"  # in place of the path of a layer: the output of the model before softmax or sigmoid
PIXELS = "pixels"  # in place of the path of a layer: the picture before the transforms, 0 to 255

Measure = Callable[[Any, Any], Any]
"""A function of values and directions that returns a number for each picture, (batch,).

The values are (batch, height, width, channels) or (batch, units), and the directions (batch, channels).
"""


@dataclass(frozen=True)
class Term:
    """A number that is measured at one layer.

    Attributes:
        layer: path of the layer, or `LOGITS` or `PIXELS`. A layer with an activation is measured before it.
        measure: see `Measure`.
        direction: float (channels,), the weight of each channel; None for a measure of all channels.
        index: the channel, instead of a direction.
        factor: factor of the number in the objective.
    """

    layer: str
    measure: Measure
    direction: np.ndarray | None = None
    index: int | None = None
    factor: float = 1.0

    def weights(self, channels: int) -> np.ndarray:
        """Return the direction, float32 (channels,).

        Raises:
            ConvscopeError: the index or the direction does not fit the number of channels.
        """
        if self.index is not None and not 0 <= self.index < channels:
            raise ConvscopeError(f"no channel {self.index} in {self.layer}: expected 0 to {channels - 1}")
        if self.index is not None:
            return np.eye(1, channels, self.index, dtype=np.float32)[0]
        weights = np.zeros(channels) if self.direction is None else np.asarray(self.direction)
        if weights.shape != (channels,):
            raise ConvscopeError(
                f"a direction of shape {weights.shape} does not fit {self.layer}: expected ({channels},)"
            )
        return weights.astype(np.float32)


@dataclass(frozen=True)
class Objective:
    """A sum of terms."""

    terms: tuple[Term, ...]

    def __add__(self, other: "Objective") -> "Objective":
        """Return the sum of two objectives."""
        return Objective(self.terms + other.terms)

    def __mul__(self, factor: float) -> "Objective":
        """Return the objective, multiplied by a number."""
        return Objective(tuple(replace(term, factor=factor * term.factor) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        """Return the objective with the opposite sign: gradient ascent lowers it."""
        return self * -1

    def __sub__(self, other: "Objective") -> "Objective":
        """Return the difference of two objectives."""
        return self + -other

    @property
    def form(self) -> list[tuple[str, Measure, float]]:
        """What the objectives of one batch must have in common: all but directions."""
        return [(term.layer, term.measure, term.factor) for term in self.terms]


# ---- objectives


def channel(layer: str, index: int, measure: Measure | None = None) -> Objective:
    """Return the response of a channel or unit, by default as `mean_positive` of its positions."""
    return Objective((Term(layer, measure or mean_positive, index=index),))


def direction(layer: str, weights: Sequence[float], measure: Measure | None = None) -> Objective:
    """Return the response of a weighted sum of channels; `weights` is (channels,)."""
    return Objective((Term(layer, measure or mean_positive, direction=np.asarray(weights, np.float32)),))


def logit(index: int) -> Objective:
    """Return the logit of a class."""
    return Objective((Term(LOGITS, mean, index=index),))


def whole_layer(layer: str) -> Objective:
    """Return the mean square of all values of a layer, as in DeepDream."""
    return Objective((Term(layer, mean_square),))


def diversity(layer: str, strength: float = 100.0) -> Objective:
    """Return a penalty for pictures that are alike.

    It is the sum of the cosine similarities between the Gram matrix of a picture at a layer and those of the
    other pictures of the batch, divided by the size of the batch (lucid, `objectives.diversity`).
    """
    return -strength * Objective((Term(layer, similarity),))


def distance(photograph: np.ndarray, strength: float = 1.0) -> Objective:
    """Return a penalty for pixels that differ from those of a photograph, uint8 (height, width, 3).

    It is the mean square of the difference, in units of the range of the pixels.

    Raises:
        ConvscopeError: the photograph is another kind of array.
    """
    if photograph.dtype != np.uint8 or photograph.ndim != 3:
        raise ConvscopeError(
            f"a photograph of {photograph.dtype} {photograph.shape}: expected uint8 (height, width, 3)"
        )
    return -strength * Objective((Term(PIXELS, _DistanceTo(photograph.tobytes(), photograph.shape)),))


# ---- measures


def mean(values: Any, directions: Any) -> Any:
    """Return the mean response over all positions."""
    return tf.reduce_mean(_flat(_response(values, directions)), 1)


def mean_positive(values: Any, directions: Any) -> Any:
    """Return the mean of the positive responses, or the highest response if none is positive.

    After ReLU, a pattern has a higher mean than a flat colour, while the mean of a linear response depends
    only on the mean of the picture. While all positions are silent, the highest response has a gradient. A
    slope below zero at all positions would stop at a flat picture that is just silent everywhere.
    """
    response = _flat(_response(values, directions))
    return tf.reduce_mean(tf.maximum(response, 0), 1) + tf.minimum(tf.reduce_max(response, 1), 0)


@dataclass(frozen=True)
class At:
    """The response at one position; without row and column, at the centre of the map."""

    row: int | None = None
    column: int | None = None

    def __call__(self, values: Any, directions: Any) -> Any:
        """Return the response."""
        if len(values.shape) == 2:
            return _response(values, directions)
        height, width = values.shape[1:3]
        row = height // 2 if self.row is None else self.row
        column = width // 2 if self.column is None else self.column
        if not (0 <= row < height and 0 <= column < width):
            raise ConvscopeError(
                f"no position ({row}, {column}) in maps of {height}×{width}: expected rows 0 to {height - 1} "
                f"and columns 0 to {width - 1}"
            )
        return _response(values[:, row, column], directions)


centre = At()


def mean_square(values: Any, _: Any) -> Any:
    """Return the mean square of all values."""
    return tf.reduce_mean(_flat(values) ** 2, 1)


def similarity(values: Any, _: Any) -> Any:
    """Return the sum of the cosine similarities to the other pictures, divided by the batch size."""
    vectors = tf.reshape(values, [values.shape[0], -1, values.shape[-1]])
    gram = tf.reshape(tf.einsum("npc,npd->ncd", vectors, vectors), [values.shape[0], -1])
    gram = tf.math.l2_normalize(gram, 1)
    alike = tf.matmul(gram, gram, transpose_b=True)
    return (tf.reduce_sum(alike, 1) - tf.linalg.diag_part(alike)) / values.shape[0]


@dataclass(frozen=True)
class _DistanceTo:
    photograph: bytes  # measures of one photograph are equal, so that a batch can have them
    shape: tuple[int, ...]

    def __call__(self, pixels: Any, _: Any) -> Any:
        if tuple(pixels.shape[1:]) != self.shape:
            raise ConvscopeError(
                f"a photograph of shape {self.shape} does not fit pictures of "
                f"{tuple(pixels.shape[1:])}: expected the size of the recipe"
            )
        photograph = np.frombuffer(self.photograph, np.uint8).reshape(self.shape).astype(np.float32)
        return tf.reduce_mean(_flat((pixels - photograph) / 255) ** 2, 1)


def _response(values: Any, directions: Any) -> Any:
    """Return the weighted sum of the channels: (batch, height, width), or (batch,) for units."""
    if len(values.shape) == 2:
        return keras.ops.sum(values * directions, -1)
    return tf.einsum("nhwc,nc->nhw", values, directions)


def _flat(values: Any) -> Any:
    return tf.reshape(values, [values.shape[0], -1])
