"""A layer of a flat graph."""

from dataclasses import dataclass
from typing import Any

import keras

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


@dataclass(frozen=True)
class Layer:
    """One call of a Keras layer in a flat graph.

    If a layer is called more than once, the list of layers has one entry for each call.

    Attributes:
        index: the index in the list of layers.
        path: the layer path; for the second, third, … call of a layer it ends in `@2`, `@3`, …
        keras_layer: the layer that is called.
        shape: the shape of the output without the batch; a side that depends on the input is None.
        input: the first tensor that the layer is called on.
        output: the first tensor that the layer returns.
        sources: the indices of the layers directly before this one.
    """

    index: int
    path: str
    keras_layer: keras.layers.Layer
    shape: tuple[int | None, ...]
    input: Any
    output: Any
    sources: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        """Name of the layer's class, such as "Conv2D"."""
        return type(self.keras_layer).__name__

    @property
    def is_convolution(self) -> bool:
        """Whether the layer is a 2-D convolution of Keras, also depthwise, separable or transposed."""
        return isinstance(self.keras_layer, CONVOLUTIONS)

    @property
    def channels(self) -> int:
        """Number of channels of the output."""
        return int(self.shape[-1] or 0)

    @property
    def has_maps(self) -> bool:
        """Whether the output has feature maps: (height, width, channels)."""
        return len(self.shape) == 3

    @property
    def has_units(self) -> bool:
        """Whether this is a dense layer with one number per unit: (units,)."""
        return isinstance(self.keras_layer, keras.layers.Dense) and len(self.shape) == 1
