"""The layers of a model: which there are, how they are chosen, what they put out before activation."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from convscope.errors import ConvscopeError, unknown

_POOLINGS = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
)
# What stands between the last feature maps and the head, and adds nothing to see.
_PASSED_OVER = (*_POOLINGS, keras.layers.Dropout, keras.layers.SpatialDropout2D)


@dataclass(frozen=True)
class Layer:
    """One layer: its place in the list from 0, its path, and the Keras layer.

    `shape` is its output's without the batch, None where it depends on the input.
    """

    index: int
    path: str
    keras_layer: keras.layers.Layer
    shape: tuple[int | None, ...]

    @property
    def kind(self) -> str:
        """The class of the layer: "Conv2D"."""
        return type(self.keras_layer).__name__

    @property
    def is_convolution(self) -> bool:
        """Whether it convolves pictures, in any of Keras' ways."""
        return self.kind.endswith(("Conv2D", "Conv2DTranspose"))

    @property
    def channels(self) -> int:
        """How many channels its feature maps have."""
        return int(self.shape[-1] or 0)

    @property
    def has_maps(self) -> bool:
        """Whether its output is feature maps: (height, width, channels)."""
        return len(self.shape) == 3


def layers_of(model: keras.Model) -> list[Layer]:
    """Every layer of a flat functional or Sequential model, in the order of the graph.

    Raises:
        ConvscopeError: the model is subclassed, holds a model, or uses a layer twice.
    """
    result = []
    for index, layer in enumerate(model.layers):
        if isinstance(layer, keras.Model):
            raise ConvscopeError(
                f"layer {layer.name!r} is a model of its own: expected a flat functional model, as "
                "train.py writes it"
            )
        try:
            shape = tuple(layer.output.shape[1:])
        except (AttributeError, ValueError):
            raise ConvscopeError(
                f"layer {layer.name!r} has no one output: expected a functional model that uses each "
                "layer once"
            ) from None
        result.append(Layer(index, layer.name, layer, shape))
    return result


def with_maps(layers: Sequence[Layer]) -> list[Layer]:
    """The convolution and pooling layers among them."""
    return [
        layer
        for layer in layers
        if layer.has_maps and (layer.is_convolution or isinstance(layer.keras_layer, _POOLINGS))
    ]


def select(layers: Sequence[Layer], patterns: Sequence[str]) -> list[Layer]:
    """The layers whose path matches a pattern: a path, or a glob such as `mixed*`; in graph order.

    Raises:
        ConvscopeError: a pattern matches nothing, with near matches.
    """
    chosen = set()
    for pattern in patterns:
        found = {layer.index for layer in layers if fnmatch.fnmatchcase(layer.path, pattern)}
        if not found:
            raise unknown("layer", pattern, [layer.path for layer in layers])
        chosen |= found
    return [layer for layer in layers if layer.index in chosen]


def spread(layers: Sequence[Layer], count: int) -> list[Layer]:
    """`count` of the convolutions, evenly across the depth, the last among them."""
    convolutions = [layer for layer in layers if layer.is_convolution and layer.has_maps]
    steps = min(count, len(convolutions))
    return [convolutions[len(convolutions) * (step + 1) // steps - 1] for step in range(steps)]


def last_maps(layers: Sequence[Layer]) -> Layer:
    """The last feature maps before the head: pooling and dropout at the end are passed over.

    They are what Grad-CAM weighs (Selvaraju et al. 2017: the last convolutional layer): the last
    convolution after its activation in a small convnet, `mixed10` in InceptionV3.

    Raises:
        ConvscopeError: no layer puts out feature maps.
    """
    candidates = [
        layer
        for layer in layers
        if layer.has_maps and not isinstance(layer.keras_layer, (keras.layers.InputLayer, *_PASSED_OVER))
    ]
    if not candidates:
        raise ConvscopeError("the model has no feature maps: expected a convolutional network")
    return candidates[-1]


def before_activation(layer: keras.layers.Layer) -> keras.KerasTensor:
    """A layer's output without the activation that is inside it, in the same graph.

    For a softmax or sigmoid head: the logits. A layer of its own that only activates is passed over;
    one with an activation inside is made again from its config with a linear one and the same weights.
    The model itself is left as it is.
    """
    if isinstance(layer, (keras.layers.Softmax, keras.layers.Activation, keras.layers.ReLU)):
        return layer.input
    activation = getattr(layer, "activation", None)
    if activation in (None, keras.activations.linear):
        return layer.output
    config = layer.get_config() | {"activation": "linear", "name": f"{layer.name}_linear"}
    linear = type(layer).from_config(config)
    output = linear(layer.input)
    linear.set_weights(layer.get_weights())
    return output
