"""Layers that are one layer for a reader: weights, normalization and activation."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from convscope.graph.layer import Layer

_DROPOUT = (keras.layers.Dropout, keras.layers.SpatialDropout2D)
_PASSED = (keras.layers.BatchNormalization, *_DROPOUT)
_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ReLU,
)


@dataclass(frozen=True)
class JoinedLayer:
    """A convolution or dense layer, the batch normalization and the activation after it; or a layer alone.

    The channels of all members have the same indices. `members` are in the order of the graph.
    """

    members: tuple[Layer, ...]

    @property
    def path(self) -> str:
        """The layer path of the first member: the name of the whole."""
        return self.members[0].path

    @property
    def output(self) -> Layer:
        """The last member. Its maps are the maps of the whole."""
        return self.members[-1]

    @property
    def is_activated(self) -> bool:
        """Whether an activation is at the end, as a member or inside the last one."""
        return _is_activated(self.output)

    @property
    def before_activation(self) -> Layer | None:
        """The member before an activation that is a layer of its own, or None without one."""
        last = self.output.keras_layer
        return self.members[-2] if len(self.members) > 1 and isinstance(last, _ACTIVATIONS) else None

    @property
    def is_convolution(self) -> bool:
        """Whether the first member is a convolution."""
        return self.members[0].is_convolution

    def reads_one_layer(self, layers: Sequence[Layer]) -> bool:
        """Return whether the input is the output of one of `layers`, with no operation of Keras between."""
        first = self.members[0]
        return len(first.sources) == 1 and first.input is layers[first.sources[0]].output


def joined_layers(layers: Sequence[Layer]) -> list[JoinedLayer]:
    """Divide the layers of a flat graph into joined layers, in the order of their first members.

    A convolution or a dense layer is joined with the batch normalization and the activation after it if no
    other layer or operation gets its values. Dropout between them does nothing outside training and is
    joined, too. A layer with an activation of its own is alone, and so are all other layers.
    """
    result: list[JoinedLayer] = []
    done: set[int] = set()
    for layer in layers:
        if layer.index in done:
            continue
        members = [layer]
        while (layer.is_convolution or layer.has_units) and not _is_activated(members[-1]):
            users = [user for user in layers if members[-1].index in user.sources]
            # Operations of `keras.ops` are not layers; then the user's input is another tensor.
            if len(users) != 1 or users[0].input is not members[-1].output:
                break
            if not isinstance(users[0].keras_layer, (*_PASSED, *_ACTIVATIONS)):
                break
            members.append(users[0])
        while len(members) > 1 and isinstance(members[-1].keras_layer, _DROPOUT):
            members.pop()
        done.update(member.index for member in members)
        result.append(JoinedLayer(tuple(members)))
    return result


def _is_activated(layer: Layer) -> bool:
    if isinstance(layer.keras_layer, _ACTIVATIONS):
        return True
    return getattr(layer.keras_layer, "activation", None) not in (None, keras.activations.linear)
