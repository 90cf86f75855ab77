"""Augmentation by Keras' own ImageDataGenerator, one picture at a time and reproducible.

The only place that imports ImageDataGenerator (deprecated, but what the book and the older projects
use; it needs SciPy).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Augment = Callable[[np.ndarray, int], np.ndarray]


def keras_augmentation(parameters: Mapping[str, Any]) -> Augment | None:
    """A function of (pixels, seed) that warps and colours a picture, or None if there is nothing to do.

    It takes and returns float32 (height, width, 3), RGB, 0..255; the same seed does the same.

    Args:
        parameters: ImageDataGenerator's, of those that work on pixels: ranges, flips, `fill_mode`. Ones
            that scale values are no business of augmentation: they are the model's preprocessing.
    """
    wanted = {name: value for name, value in parameters.items() if value not in (0, False, None, [])}
    if not set(wanted) - {"fill_mode"}:
        return None
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(**wanted)

    def augment(pixels: np.ndarray, seed: int) -> np.ndarray:
        sampled = generator.get_random_transform(pixels.shape, seed=seed)
        warped = generator.apply_transform(pixels, sampled)
        return np.clip(warped, 0, 255).astype(np.float32, copy=False)

    return augment
