"""The push of channels: how much the values of a channel add to the logit of a class, to first order."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from convscope.graph import Layer, before_activation
from convscope.vis.gradients import gradients_of_each


def class_push(
    model: keras.Model,
    layers: Sequence[Layer],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    batch: int = 16,
) -> dict[str, np.ndarray]:
    """Return the push of each channel to each target, in logits.

    The push is gradient × activation, summed over the positions, averaged over the images. If the network
    from the layer on is linear, the push of all channels and the biases sum up to the mean logit.

    Args:
        model: the flat model; its output is (batch, classes) or a single sigmoid unit.
        layers: layers with feature maps.
        inputs: preprocessed images, float32 (n, height, width, channels).
        targets: the weights of the logits, float32 (targets, logits); see `targets.of_class`.
        batch: images in one pass.

    Returns:
        float64 (channels, targets) by layer path.
    """
    whole = keras.Model(
        model.inputs[0], [before_activation(model.outputs[0]), *(layer.output for layer in layers)]
    )

    def scores(pictures: Any) -> tuple[list[Any], list[Any]]:
        logits, *maps = whole(pictures, training=False)
        return [logits @ target[:, None] for target in targets], maps

    sums = {layer.path: np.zeros((len(targets), layer.channels)) for layer in layers}
    for first in range(0, len(inputs), batch):
        maps, of_targets = gradients_of_each(scores, ops.convert_to_tensor(inputs[first : first + batch]))
        for index, gradients in enumerate(of_targets):
            for layer, values, gradient in zip(layers, maps, gradients, strict=True):
                sums[layer.path][index] += np.asarray(ops.sum(values * gradient, axis=(0, 1, 2)))
    return {path: total.T / len(inputs) for path, total in sums.items()}
