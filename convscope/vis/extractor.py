"""Feature maps: the outputs of layers for photographs."""

import math
from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer, before_activation

BEFORE = " before activation"  # the end of the layer path of maps before the activation
OUTPUT = "output of the model"  # stands for a layer path
SMALL = 2**21  # values of an input batch: 7 pictures of InceptionV3, with intermediate outputs of up to 1 GB


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
    """A model that returns the outputs of several layers from one forward pass.

    Small batches run operation by operation: to trace a graph first takes as long as several passes. Large
    batches run as a graph, which frees intermediate outputs that nobody needs any more.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Layer], *, with_output: bool = False):
        """Cut the flat model at the layers; `with_output` adds the model's output, with the path `OUTPUT`."""
        self._outputs = {layer.path: layer.output for layer in layers}
        if with_output:
            self._outputs[OUTPUT] = model.outputs[0]
        self._model = keras.Model(model.inputs[0], list(self._outputs.values())) if self._outputs else None

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
        small = inputs.size <= SMALL
        outputs = self._model(inputs, training=False) if small else self._model.predict_on_batch(inputs)
        result = {}
        for path, output in zip(self._outputs, keras.tree.flatten(outputs), strict=True):
            maps = np.asarray(output, np.float32)
            if path != OUTPUT:
                check_finite(path, maps)
            result[path] = maps
        return result


def check_finite(path: str, *outputs: np.ndarray) -> None:
    """Raise ConvscopeError if outputs of the layer at `path` have values that are not finite."""
    if not all(np.isfinite(values).all() for values in outputs):
        raise ConvscopeError(
            f"layer {path} returns values that are not finite: the training of the checkpoint diverged, or "
            "the input has the wrong preprocessing"
        )
