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
    """One call of a layer: its place in the list from 0, its path, and the Keras layer.

    `shape` is its output's without the batch, None where it depends on the input; `input` and `output` are
    tensors of the flat graph. A layer that is called more than once is in the list as often, the later ones
    with `@2`, `@3`, … after their path. `sources` are the places of the layers that it gets its input from.
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
        """The class of the layer: "Conv2D"."""
        return type(self.keras_layer).__name__

    @property
    def is_convolution(self) -> bool:
        """Whether it convolves pictures, in any of Keras' ways."""
        return isinstance(self.keras_layer, CONVOLUTIONS)

    @property
    def channels(self) -> int:
        """How many channels its feature maps have."""
        return int(self.shape[-1] or 0)

    @property
    def has_maps(self) -> bool:
        """Whether its output is feature maps: (height, width, channels)."""
        return len(self.shape) == 3

    @property
    def has_units(self) -> bool:
        """Whether it is a dense layer that puts out one number a unit: (units,)."""
        return isinstance(self.keras_layer, keras.layers.Dense) and len(self.shape) == 1
