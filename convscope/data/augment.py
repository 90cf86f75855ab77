"""Augmentation: random parameters for a picture, and a fast engine (OpenCV) that applies them.

The parameters, and the values sampled for a seed, are those of Keras' ImageDataGenerator. The pixels agree
with it within one grey level. The other engine, `augment_keras`, calls ImageDataGenerator itself.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from convscope.data.augmentation_settings import Ranges

_THREAD_LOCAL = threading.local()  # seeding a generator takes 1 µs, creating one 100 µs

Augment = Callable[[np.ndarray, int], np.ndarray]
_BORDERS = {
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "constant": cv2.BORDER_REPLICATE,  # pixels outside are filled afterwards
}


@dataclass(frozen=True)
class AffineParams:
    """The sampled parameters of one augmentation, named as in ImageDataGenerator.

    `theta` and `shear` are in degrees. `tx` and `ty` shift the picture by pixels to the left and up. `zx` and
    `zy` zoom along rows and columns; a factor above 1 makes the picture smaller. `tx` is sampled from
    `height_shift_range`: Keras 3.15 swaps the axes when it transforms a picture, not when it samples.
    """

    theta: float = 0.0
    tx: float = 0.0
    ty: float = 0.0
    shear: float = 0.0
    zx: float = 1.0
    zy: float = 1.0
    flip_horizontal: bool = False
    flip_vertical: bool = False
    channel_shift_intensity: float | None = None
    brightness: float | None = None


def sample(ranges: Ranges, height: int, width: int, seed: int) -> AffineParams:
    """Sample one augmentation: the values of ImageDataGenerator's `get_random_transform` for that seed."""
    generator = _THREAD_LOCAL.__dict__.setdefault("random", np.random.RandomState(0))
    generator.seed(seed)

    def within(limit: float) -> float:
        return generator.uniform(-limit, limit) if limit else 0.0

    theta = within(ranges.rotation_range)
    tx = within(ranges.height_shift_range) * (height if ranges.height_shift_range < 1 else 1)
    ty = within(ranges.width_shift_range) * (width if ranges.width_shift_range < 1 else 1)
    shear = within(ranges.shear_range)
    zx, zy = (1.0, 1.0) if ranges.zoom == (1, 1) else generator.uniform(*ranges.zoom, 2)
    horizontal = bool(generator.random_sample() < 0.5) and ranges.horizontal_flip
    vertical = bool(generator.random_sample() < 0.5) and ranges.vertical_flip
    shift = within(ranges.channel_shift_range) if ranges.channel_shift_range else None
    brightness = generator.uniform(*ranges.brightness_range) if ranges.brightness_range else None
    return AffineParams(theta, tx, ty, shear, float(zx), float(zy), horizontal, vertical, shift, brightness)


def fast_augmentation(ranges: Ranges) -> Augment | None:
    """Return a function of (pixels, seed) that augments a picture with OpenCV, None for the identity.

    The function takes and returns uint8 (height, width, channels), 0 to 255. It is thread-safe, and the same
    seed gives the same result.
    """
    if ranges.is_identity:
        return None

    def augment(pixels: np.ndarray, seed: int) -> np.ndarray:
        height, width = pixels.shape[:2]
        return apply(pixels, sample(ranges, height, width, seed), ranges.fill_mode, ranges.cval)

    return augment


def apply(
    pixels: np.ndarray, params: AffineParams, fill_mode: str = "nearest", cval: float = 0.0
) -> np.ndarray:
    """Apply one augmentation: warp, then change colors; the result is uint8 (height, width, channels).

    It agrees with ImageDataGenerator's `apply_transform` within one grey level.

    Args:
        pixels: uint8 (height, width, channels).
        params: the sampled parameters.
        fill_mode: how to fill pixels outside the picture: "nearest", "reflect", "wrap" or "constant".
        cval: grey level of pixels outside the picture for "constant".
    """
    colors = params.channel_shift_intensity is not None or params.brightness is not None
    matrix, offset = _inverse(params, *pixels.shape[:2])
    exact = pixels.astype(np.float32) if colors else pixels  # colors amplify rounding errors
    warped = _warp(exact, matrix, offset, fill_mode, cval)
    if not colors:
        return warped
    if params.channel_shift_intensity is not None:
        lowest, highest = warped.min(), warped.max()
        warped = np.clip(warped + np.float32(params.channel_shift_intensity), lowest, highest)
    if params.brightness is not None:  # as in Pillow, which truncates before and after
        return np.clip(np.floor(warped.astype(np.uint8) * params.brightness), 0, 255).astype(np.uint8)
    return np.clip(np.rint(warped), 0, 255).astype(np.uint8)


def _inverse(params: AffineParams, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the map from output to input positions (row, column): `matrix @ position + offset`."""
    theta, shear_angle = np.deg2rad(params.theta), np.deg2rad(params.shear)
    rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    shear = np.array([[1, -np.sin(shear_angle)], [0, np.cos(shear_angle)]])
    linear = rotation @ shear @ np.diag([params.zx, params.zy])
    # Keras computes the center from (height, width) and swaps the axes afterwards, for any shape.
    center = np.array([height / 2 - 0.5, width / 2 - 0.5])
    shift = rotation @ [params.tx, params.ty] + center - linear @ center
    matrix, offset = linear[::-1, ::-1].copy(), shift[::-1].copy()
    for axis, (flip, side) in enumerate(((params.flip_vertical, height), (params.flip_horizontal, width))):
        if flip:
            offset += matrix[:, axis] * (side - 1)
            matrix[:, axis] *= -1
    return matrix, offset


def _warp(
    pixels: np.ndarray, matrix: np.ndarray, offset: np.ndarray, fill_mode: str, cval: float
) -> np.ndarray:
    """Warp bilinearly, uint8 or float32; fill pixels outside as SciPy's `affine_transform` does."""
    height, width = pixels.shape[:2]
    if fill_mode == "wrap":
        rows, columns = _positions(matrix, offset, height, width)
        rows, columns = _wrapped(rows, height), _wrapped(columns, width)
        warped = cv2.remap(
            pixels,
            columns.astype(np.float32),
            rows.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return warped.reshape(pixels.shape)
    # In OpenCV, x is the column and y the row.
    affine = np.column_stack([matrix[::-1, ::-1], offset[::-1]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(pixels, affine, (width, height), flags=flags, borderMode=_BORDERS[fill_mode])
    warped = warped.reshape(pixels.shape)
    if fill_mode == "constant":
        rows, columns = _positions(matrix, offset, height, width)
        warped[(rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)] = cval
    return warped


def _wrapped(positions: np.ndarray, side: int) -> np.ndarray:
    """Wrap positions outside 0..side - 1 with the period of SciPy, side - 1."""
    outside = (positions < 0) | (positions > side - 1)
    return np.where(outside, positions % max(side - 1, 1), positions)


def _positions(
    matrix: np.ndarray, offset: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the input row and column of each output pixel, (height, width) each."""
    down, right = np.arange(height)[:, None], np.arange(width)
    rows = matrix[0, 0] * down + matrix[0, 1] * right + offset[0]
    columns = matrix[1, 0] * down + matrix[1, 1] * right + offset[1]
    return rows, columns
