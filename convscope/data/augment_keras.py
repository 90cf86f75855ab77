"""Augmentation by Keras' own ImageDataGenerator, one picture at a time and reproducible.

The only place that imports ImageDataGenerator (deprecated, but what the book and the older projects
use; it needs SciPy, and its sampling is global, so that it has one thread).
"""

import threading
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from convscope.data.augment import AffineParams, Augment
from convscope.data.augmentation_settings import Ranges

_ONE_AT_A_TIME = threading.Lock()  # ImageDataGenerator draws from NumPy's global state


def keras_augmentation(ranges: Ranges) -> Augment | None:
    """A function of (pixels, seed) that augments a picture by ImageDataGenerator, or None.

    It takes uint8 (height, width, channels) and returns float32 of that shape, 0..255; the same seed does
    the same. None means that there is nothing to do.
    """
    if ranges.is_identity:
        return None
    generator = _generator(ranges)

    def augment(pixels: np.ndarray, seed: int) -> np.ndarray:
        with _ONE_AT_A_TIME:
            sampled = generator.get_random_transform(pixels.shape, seed=seed)
        warped = generator.apply_transform(pixels.astype(np.float32), sampled)
        return np.clip(warped, 0, 255).astype(np.float32, copy=False)

    return augment


def keras_apply(pixels: np.ndarray, params: AffineParams, ranges: Ranges) -> np.ndarray:
    """ImageDataGenerator's `apply_transform` for given parameters: float32, 0..255."""
    return np.clip(_generator(ranges).apply_transform(pixels.astype(np.float32), asdict(params)), 0, 255)


def _generator(ranges: Ranges) -> Any:
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    parameters: dict[str, Any] = {option.name: getattr(ranges, option.name) for option in fields(Ranges)}
    parameters["fill_mode"] = str(ranges.fill_mode)
    parameters["zoom_range"] = ranges.zoom
    parameters["brightness_range"] = ranges.brightness_range or None
    return ImageDataGenerator(**parameters, data_format="channels_last")
