"""Test-time augmentation: one prediction from several variants of a photograph."""

from collections.abc import Sequence

import keras
import numpy as np

from convscope.graph import probabilities_of, resized
from convscope.training.variants import Variants

_LOWEST = 1e-45  # the lowest number that float32 can tell from 0


class VariantModel:
    """A model that averages its predictions over variants of each photograph.

    Attributes:
        variants: the variants.
        sizes: (height, width) of the pictures at each scale.
    """

    def __init__(self, model: keras.Model, variants: Variants) -> None:
        """Make the model for each size; they share its weights.

        Raises:
            ConvscopeError: the network works at one size only.
        """
        _, height, width, _ = model.input_shape
        self.variants = variants
        self.sizes = variants.sizes((height, width))
        option = f"tta=[{','.join(variants.names)}]"
        self._models = [resized(model, size, option) for size in self.sizes]

    def probabilities(self, pictures: Sequence[np.ndarray], first: np.ndarray | None = None) -> np.ndarray:
        """Return the averaged probabilities, float64 (batch, classes).

        Args:
            pictures: the same photographs at each of `sizes`, float32 (batch, height, width, channels).
            first: the probabilities for the first pictures, if they are known, (batch, classes).
        """
        parts: list[np.ndarray] = []
        for model, batch in zip(self._models, pictures, strict=True):
            parts.append(probabilities_of(model, batch) if first is None or parts else first)
            if self.variants.mirrored:
                parts.append(probabilities_of(model, np.ascontiguousarray(batch[:, :, ::-1])))
        return geometric_mean(parts)


def geometric_mean(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return probabilities in proportion to the exponential of the mean of log-probabilities.

    `parts` are probabilities, each (n, classes). The logarithm of a probability of 0 counts as that of 1e-45.
    """
    logarithms = np.mean([np.log(np.maximum(part.astype(np.float64), _LOWEST)) for part in parts], axis=0)
    powers = np.exp(logarithms - logarithms.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
