"""Feature maps: the outputs of layers for photographs."""

import math
from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer, before_activation

BEFORE = " before activation"  # after a layer's path


def before_and_after(layer: Layer) -> list[Layer]:
    """Return the layer, and before it the layer without its own activation, if it has one."""
    inside = getattr(layer.keras_layer, "activation", None)
    if layer.kind == "Activation" or inside in (None, keras.activations.linear):
        return [layer]
    return [replace(layer, path=layer.path + BEFORE, output=before_activation(layer.output)), layer]


def in_groups(
    layers: Sequence[Layer], *, pictures: int, size: tuple[int, int], limit: int
) -> list[list[Layer]]:
    """Return the layers, in order, in groups whose outputs for so many pictures take at most `limit` bytes.

    A layer that takes more is a group of its own. A side that the model leaves open is assumed to be as long
    as that of the input, `size`: (height, width).
    """
    groups: list[list[Layer]] = []
    taken = 0
    for layer in layers:
        sides = (side or most for side, most in zip(layer.shape, (*size, 1), strict=False))
        needs = pictures * math.prod(sides) * np.dtype(np.float32).itemsize
        if not groups or taken + needs > limit:
            groups.append([])
            taken = 0
        groups[-1].append(layer)
        taken += needs
    return groups


class Extractor:
    """A model that returns the outputs of several layers from one forward pass."""

    def __init__(self, model: keras.Model, layers: Sequence[Layer]):
        """Cut the flat model at the layers."""
        self.layers = list(layers)
        outputs = [layer.output for layer in layers]
        self._model = keras.Model(model.inputs[0], outputs) if outputs else None

    def __call__(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs of the layers.

        Args:
            inputs: preprocessed pictures, float32 (batch, height, width, channels).

        Returns:
            float32 (batch, height, width, channels), or (batch, units), by layer path.

        Raises:
            ConvscopeError: a layer puts out values that are not finite.
        """
        if self._model is None:
            return {}
        outputs = keras.tree.flatten(self._model.predict_on_batch(inputs))
        result = {}
        for layer, output in zip(self.layers, outputs, strict=True):
            maps = np.asarray(output, np.float32)
            if not np.isfinite(maps).all():
                raise ConvscopeError(
                    f"layer {layer.path} puts out values that are not finite: the training of the "
                    "checkpoint diverged, or the input has the wrong preprocessing"
                )
            result[layer.path] = maps
        return result
