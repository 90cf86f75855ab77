"""Feature maps: what the layers put out for a photograph."""

from collections.abc import Sequence

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer


def feature_maps(model: keras.Model, inputs: np.ndarray, layers: Sequence[Layer]) -> dict[str, np.ndarray]:
    """The outputs of several layers, from one forward pass.

    Args:
        model: a flat one.
        inputs: preprocessed pictures, float32 (batch, height, width, channels).
        layers: of that model.

    Returns:
        float32 (batch, height, width, channels) by the layer's path.

    Raises:
        ConvscopeError: a layer puts out values that are not finite.
    """
    if not layers:
        return {}
    extractor = keras.Model(model.inputs[0], [layer.output for layer in layers])
    outputs = keras.tree.flatten(extractor.predict_on_batch(inputs))
    result = {}
    for layer, output in zip(layers, outputs, strict=True):
        maps = np.asarray(output, np.float32)
        if not np.isfinite(maps).all():
            raise ConvscopeError(
                f"layer {layer.path} puts out values that are not finite: the checkpoint is from a "
                "training that diverged, or the input does not suit it"
            )
        result[layer.path] = maps
    return result
