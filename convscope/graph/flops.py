"""The operations of a layer."""

import math

import keras

from convscope.graph.layer import Layer


def flops_of(layer: Layer) -> int:
    """Return the operations for one picture: two for each multiply-add with a weight of a kernel.

    Biases, normalization, activations and pooling are not counted; together they are a few percent in a
    convnet.
    """
    kernels = [weight.shape for weight in layer.keras_layer.weights if "kernel" in weight.name]
    return 2 * _kernel_positions(layer) * sum(math.prod(kernel) for kernel in kernels)


def _kernel_positions(layer: Layer) -> int:
    """Return the number of positions of the kernel: output positions, or input positions if transposed."""
    shape = layer.shape
    if isinstance(layer.keras_layer, keras.layers.Conv2DTranspose):
        shape = tuple(layer.input.shape[1:])
    return math.prod(side or 1 for side in shape[:-1])
