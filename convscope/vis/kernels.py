"""The kernels of the first convolution as pictures: each of their weights multiplies a colour of a pixel."""

from collections.abc import Sequence

import keras
import numpy as np

from convscope.graph import Layer


def first_kernels(layers: Sequence[Layer]) -> Layer | None:
    """Return the first convolution, or None if its input does not have one or three channels."""
    for layer in layers:
        if isinstance(layer.keras_layer, keras.layers.Conv2D) and layer.is_convolution:
            return layer if layer.keras_layer.kernel.shape[2] in (1, 3) else None
    return None


def kernel_pictures(
    kernel: np.ndarray, *, order: str = "rgb", end: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return each kernel as a picture: zero is middle grey, the largest weight is black or white.

    Args:
        kernel: float (height, width, 1 or 3, filters).
        order: the order of its input channels, "rgb" or "bgr"; the pictures are RGB.
        end: the absolute weight at the ends of the scale; None uses the largest weight of each kernel.

    Returns:
        uint8 (filters, height, width, 3), and the largest absolute weight of each, float (filters,).
    """
    weights = np.moveaxis(kernel.astype(np.float64), -1, 0)
    if order == "bgr":
        weights = weights[..., ::-1]
    largest = np.abs(weights).max(axis=(1, 2, 3))
    ends = largest if end is None else np.full_like(largest, end)
    share = weights / np.where(ends > 0, ends, 1)[:, None, None, None]
    pictures = np.round((share + 1) * 127.5).astype(np.uint8)
    return np.broadcast_to(pictures, (*pictures.shape[:3], 3)).copy(), largest
