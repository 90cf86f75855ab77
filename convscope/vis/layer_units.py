"""Units: layers that belong together, such as a convolution, its normalisation and its activation."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from convscope.graph import Layer

_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ReLU,
    keras.layers.Softmax,
)


@dataclass(frozen=True)
class Unit:
    """Layers in a row with the same channels: one layer for a reader.

    `parts` are a convolution, its batch normalisation if there is one, and its activation; or a single layer
    of any kind.
    """

    parts: tuple[Layer, ...]

    @property
    def path(self) -> str:
        """The path of the first part, by which readers know the unit."""
        return self.parts[0].path

    @property
    def layer(self) -> Layer:
        """The last part: its values are those of the unit."""
        return self.parts[-1]


def layer_units(layers: Sequence[Layer]) -> list[Unit]:
    """Return the units of a flat graph, in the order of their first parts; each layer is in one unit.

    A convolution is joined with a batch normalisation and an activation after it only if nothing else uses
    the values between them.
    """
    users: dict[int, list[Layer]] = {layer.index: [] for layer in layers}
    for layer in layers:
        for source in layer.sources:
            users[source].append(layer)
    taken: set[int] = set()
    units = []
    for layer in layers:
        if layer.index not in taken:
            unit = Unit((layer, *_parts_after(layer, users)))
            taken |= {part.index for part in unit.parts}
            units.append(unit)
    return units


def _parts_after(layer: Layer, users: dict[int, list[Layer]]) -> list[Layer]:
    """Return the normalisation and the activation of a convolution, or nothing without an activation."""
    parts: list[Layer] = []
    last = layer
    while layer.is_convolution and len(users[last.index]) == 1:
        (last,) = users[last.index]
        if isinstance(last.keras_layer, _ACTIVATIONS):
            return [*parts, last]
        if parts or not isinstance(last.keras_layer, keras.layers.BatchNormalization):
            break
        parts.append(last)
    return []
