"""Feature maps: the outputs of layers for photographs."""

import math
from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer, before_activation

BEFORE = " before activation"  # the end of the layer path of maps before the activation


def before_and_after(layer: Layer) -> list[Layer]:
    """Return the layer; if it has an activation of its own, first the same layer without it."""
    activation = getattr(layer.keras_layer, "activation", None)
    if isinstance(layer.keras_layer, keras.layers.Activation) or activation in (
        None,
        keras.activations.linear,
    ):
        return [layer]
    return [replace(layer, path=layer.path + BEFORE, output=before_activation(layer.output)), layer]


def in_groups(
    layers: Sequence[Layer], *, pictures: int, size: tuple[int, int], limit: int
) -> list[list[Layer]]:
    """Split the layers, in order, into groups whose outputs need a limited amount of memory.

    Args:
        layers: the layers to split. A layer that needs more than the limit is a group of its own.
        pictures: the number of pictures.
        size: height and width of the input, used for sides that the model does not fix.
        limit: bytes for the outputs of a group.
    """
    groups: list[list[Layer]] = []
    used = 0
    for layer in layers:
        sides = (side or longest for side, longest in zip(layer.shape, (*size, 1), strict=False))
        needed = pictures * math.prod(sides) * np.dtype(np.float32).itemsize
        if not groups or used + needed > limit:
            groups.append([])
            used = 0
        groups[-1].append(layer)
        used += needed
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
            ConvscopeError: a layer returns values that are not finite.
        """
        if self._model is None:
            return {}
        outputs = keras.tree.flatten(self._model.predict_on_batch(inputs))
        result = {}
        for layer, output in zip(self.layers, outputs, strict=True):
            maps = np.asarray(output, np.float32)
            if not np.isfinite(maps).all():
                raise ConvscopeError(
                    f"layer {layer.path} returns values that are not finite: the training of the "
                    "checkpoint diverged, or the input has the wrong preprocessing"
                )
            result[layer.path] = maps
        return result
