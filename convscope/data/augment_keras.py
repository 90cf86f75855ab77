"""Augmentation with Keras' ImageDataGenerator, one picture at a time, reproducible.

ImageDataGenerator is deprecated, but the book and older projects use it. It needs SciPy.
"""

import threading
from dataclasses import fields
from typing import Any

import numpy as np

from convscope.data.augment import Augment
from convscope.data.augmentation_settings import Ranges

_SAMPLING = threading.Lock()  # needed because ImageDataGenerator samples from NumPy's global generator


def keras_augmentation(ranges: Ranges) -> Augment | None:
    """Return a function of (pixels, seed) that augments with ImageDataGenerator, None for the identity.

    The function takes uint8 (height, width, channels) and returns float32 of the same shape, 0 to 255. The
    same seed gives the same result.
    """
    if ranges.is_identity:
        return None
    generator = image_data_generator(ranges)

    def augment(pixels: np.ndarray, seed: int) -> np.ndarray:
        with _SAMPLING:
            sampled = generator.get_random_transform(pixels.shape, seed=seed)
        warped = generator.apply_transform(pixels.astype(np.float32), sampled)
        return np.clip(warped, 0, 255).astype(np.float32, copy=False)

    return augment


def image_data_generator(ranges: Ranges) -> Any:
    """Return an ImageDataGenerator with these ranges."""
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    parameters: dict[str, Any] = {option.name: getattr(ranges, option.name) for option in fields(Ranges)}
    parameters["fill_mode"] = str(ranges.fill_mode)
    parameters["zoom_range"] = ranges.zoom
    parameters["brightness_range"] = ranges.brightness_range or None
    return ImageDataGenerator(**parameters, data_format="channels_last")
