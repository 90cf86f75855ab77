"""Augmentation: what is sampled for a picture, and two engines that do it, Keras' own and a fast one.

The parameters are ImageDataGenerator's, and so is what is drawn for a seed: both engines do the same to the
same picture, to the rounding of a grey level.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from convscope.data.augmentation_settings import Ranges

_OF_THREAD = threading.local()  # to seed a generator takes a microsecond, to make one a hundred

Augment = Callable[[np.ndarray, int], np.ndarray]
_BORDERS = {
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "constant": cv2.BORDER_REPLICATE,  # and then what lies outside is filled
}


@dataclass(frozen=True)
class AffineParams:
    """One sampled augmentation, in ImageDataGenerator's terms.

    `theta` and `shear` are degrees; a column of the result shows the one `tx` pixels to its right, a row the
    one `ty` below; `zx` and `zy` zoom along rows and columns, above 1 outward. (`tx` is drawn from
    `height_shift_range` all the same: Keras 3 swapped the axes when it warps, not when it draws.)
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
    """Draw one augmentation: what ImageDataGenerator's `get_random_transform` draws with that seed."""
    draw = _OF_THREAD.__dict__.setdefault("random", np.random.RandomState(0))
    draw.seed(seed)

    def within(limit: float) -> float:
        return draw.uniform(-limit, limit) if limit else 0.0

    theta = within(ranges.rotation_range)
    tx = within(ranges.height_shift_range) * (height if ranges.height_shift_range < 1 else 1)
    ty = within(ranges.width_shift_range) * (width if ranges.width_shift_range < 1 else 1)
    shear = within(ranges.shear_range)
    zx, zy = (1.0, 1.0) if ranges.zoom == (1, 1) else draw.uniform(*ranges.zoom, 2)
    horizontal = bool(draw.random_sample() < 0.5) and ranges.horizontal_flip
    vertical = bool(draw.random_sample() < 0.5) and ranges.vertical_flip
    shift = within(ranges.channel_shift_range) if ranges.channel_shift_range else None
    brightness = draw.uniform(*ranges.brightness_range) if ranges.brightness_range else None
    return AffineParams(theta, tx, ty, shear, float(zx), float(zy), horizontal, vertical, shift, brightness)


def fast_augmentation(ranges: Ranges) -> Augment | None:
    """A function of (pixels, seed) that augments a picture by OpenCV, or None if there is nothing to do.

    It takes uint8 (height, width, channels) and returns as much, 0..255; the same seed does the same, in
    whichever thread.
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
    """What ImageDataGenerator's `apply_transform` does, within a grey level: one warp, then colours.

    Args:
        pixels: uint8 (height, width, channels).
        params: what is to be done.
        fill_mode: what lies outside the picture: "nearest", "reflect", "wrap" or "constant".
        cval: the grey level outside for "constant".
    """
    colors = params.channel_shift_intensity is not None or params.brightness is not None
    matrix, offset = _inverse(params, *pixels.shape[:2])
    exact = pixels.astype(np.float32) if colors else pixels  # colours amplify what rounding takes
    warped = _warp(exact, matrix, offset, fill_mode, cval)
    if not colors:
        return warped
    if params.channel_shift_intensity is not None:
        lowest, highest = warped.min(), warped.max()
        warped = np.clip(warped + np.float32(params.channel_shift_intensity), lowest, highest)
    if params.brightness is not None:  # Pillow's, which cuts fractions off before and after
        return np.clip(np.floor(warped.astype(np.uint8) * params.brightness), 0, 255).astype(np.uint8)
    return np.clip(np.rint(warped), 0, 255).astype(np.uint8)


def _inverse(params: AffineParams, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """From (row, column) of the result to that of the picture: `matrix @ place + offset`, flips included."""
    turn, lean = np.deg2rad(params.theta), np.deg2rad(params.shear)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shear = np.array([[1, -np.sin(lean)], [0, np.cos(lean)]])
    linear = rotation @ shear @ np.diag([params.zx, params.zy])
    # Keras centres by (height, width) and swaps the axes afterwards, whatever the picture's shape.
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
    """Bilinear, uint8 or float32 in and out; what lies outside is as SciPy's `affine_transform` has it."""
    height, width = pixels.shape[:2]
    if fill_mode == "wrap":
        rows, columns = _places(matrix, offset, height, width)
        rows, columns = _wrapped(rows, height), _wrapped(columns, width)
        warped = cv2.remap(
            pixels,
            columns.astype(np.float32),
            rows.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return warped.reshape(pixels.shape)
    # OpenCV's x is the column, its y the row
    affine = np.column_stack([matrix[::-1, ::-1], offset[::-1]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(pixels, affine, (width, height), flags=flags, borderMode=_BORDERS[fill_mode])
    warped = warped.reshape(pixels.shape)
    if fill_mode == "constant":
        rows, columns = _places(matrix, offset, height, width)
        warped[(rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)] = cval
    return warped


def _wrapped(places: np.ndarray, side: int) -> np.ndarray:
    """Places outside 0..side - 1 with the period that SciPy has, side - 1."""
    outside = (places < 0) | (places > side - 1)
    return np.where(outside, places % max(side - 1, 1), places)


def _places(matrix: np.ndarray, offset: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The row and the column in the picture of each place of the result, (height, width) each."""
    down, right = np.arange(height)[:, None], np.arange(width)
    rows = matrix[0, 0] * down + matrix[0, 1] * right + offset[0]
    columns = matrix[1, 0] * down + matrix[1, 1] * right + offset[1]
    return rows, columns
