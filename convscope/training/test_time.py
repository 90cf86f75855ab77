"""Test-time augmentation: one prediction from several variants of a photograph."""

from collections.abc import Sequence

import keras
import numpy as np

from convscope.graph import probabilities_of, resized
from convscope.probabilities import logarithms, softmax
from convscope.training.variants import Variants


class VariantModel:
    """A model that averages its predictions over variants of each photograph.

    Attributes:
        variants: the variants.
        sizes: (height, width) of the pictures at each scale.
    """

    def __init__(self, model: keras.Model, size: tuple[int, int], variants: Variants) -> None:
        """Make the model for each size; they share its weights.

        Args:
            model: a flat model.
            size: height and width of its pictures.
            variants: see the attribute.

        Raises:
            ConvscopeError: the network works at one size only, or a scale does not change the size.
        """
        self.variants = variants
        self.sizes = variants.sizes(size)
        option = f"tta=[{','.join(variants.names)}]"
        self._models = [model, *(resized(model, other, option) for other in self.sizes[1:])]

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

    `parts` are probabilities, each (n, classes).
    """
    return softmax(np.mean([logarithms(part) for part in parts], axis=0))
