"""Transforms: random changes of the pictures before each step, against high-frequency noise.

A transform is a function of pictures (batch, height, width, 3), a seed, int32 (2,), and the progress of the
ascent, 0 to 1. The same seed gives the same change. It returns (n · batch, height, width, 3); n pictures in a
row come from one. See C. Olah, A. Mordvintsev, L. Schubert, Feature Visualization, Distill 2017.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Transform = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Jitter:
    """Shift all pictures by the same number of pixels; what leaves on one side enters on the other.

    Attributes:
        pixels: the largest shift along each axis; None is the side of the picture.
    """

    pixels: int | None = None

    def __call__(self, pictures: Any, seed: Any, _: Any) -> Any:
        """Return the shifted pictures."""
        limit = pictures.shape[1] if self.pixels is None else self.pixels + 1
        shift = tf.random.stateless_uniform([2], seed, 0, limit, tf.int32)
        return tf.roll(pictures, shift, [1, 2])


@dataclass(frozen=True)
class Turn:
    """Rotate and scale all pictures around the centre; the border is mirrored.

    Attributes:
        degrees: the largest rotation in each direction.
        factor: the largest relative change of the size in each direction.
    """

    degrees: float = 5.0
    factor: float = 0.1

    def __call__(self, pictures: Any, seed: Any, _: Any) -> Any:
        """Return the rotated pictures."""
        draws = tf.random.stateless_uniform([2], seed, -1, 1)
        angle, scale = draws[0] * self.degrees * np.pi / 180, 1 + draws[1] * self.factor
        cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
        middle = (pictures.shape[1] - 1) / 2
        matrix = [
            cosine, -sine, middle * (1 - cosine + sine),
            sine, cosine, middle * (1 - sine - cosine), 0.0, 0.0,
        ]  # fmt: skip
        return keras.ops.image.affine_transform(pictures, tf.stack(matrix), fill_mode="reflect")


@dataclass(frozen=True)
class Crops:
    """Cut out squares around the centre, and resize them to one size (MACO, T. Fel et al., 2023).

    The centres are normally distributed with a standard deviation of 0.15 of the side of the picture. The
    sides shrink during the ascent, by default from half of the picture to a twentieth, and vary by 0.05. A
    square that would leave the picture is moved inside.

    Attributes:
        count: number of squares of each picture.
        size: side of the result in pixels.
        first: mean side at the first step, as a share of the side of the picture.
        last: mean side at the last step.
    """

    count: int
    size: int
    first: float = 0.5
    last: float = 0.05

    def __call__(self, pictures: Any, seed: Any, progress: Any) -> Any:
        """Return the enlarged squares."""
        batch = pictures.shape[0]
        draws = tf.random.stateless_normal([batch * self.count, 3], seed)
        side = tf.clip_by_value(
            self.first + (self.last - self.first) * progress + 0.05 * draws[:, 2:], 0.05, 1.0
        )
        corner = tf.clip_by_value(0.5 + 0.15 * draws[:, :2] - side / 2, 0.0, 1 - side)
        # Bilinear interpolation as products: the gradient of tf.image.crop_and_resize is not deterministic.
        steps = tf.linspace(0.0, 1.0, self.size)[:, None, None]
        at = tf.clip_by_value(corner + side * steps, 0.0, 1.0) * (pictures.shape[1] - 1)
        pixels = tf.range(pictures.shape[1], dtype=tf.float32)
        weights = tf.maximum(1 - tf.abs(at[..., None] - pixels), 0)  # (size, boxes, 2, side)
        weights = tf.reshape(weights, [self.size, batch, self.count, 2, -1])
        rows = tf.einsum("bhwc,ybnh->bnywc", pictures, weights[:, :, :, 0])
        crops = tf.einsum("bnywc,xbnw->bnyxc", rows, weights[:, :, :, 1])
        return tf.reshape(crops, [batch * self.count, self.size, self.size, -1])


@dataclass(frozen=True)
class Noise:
    """Add normal noise.

    Attributes:
        deviation: standard deviation in grey levels.
    """

    deviation: float = 10.0

    def __call__(self, pictures: Any, seed: Any, _: Any) -> Any:
        """Return the pictures with noise."""
        return pictures + tf.random.stateless_normal(pictures.shape, seed, 0, self.deviation)
