"""The head: from feature maps to classes, the same for every network."""

import keras

from convscope.errors import unknown
from convscope.models.settings import Head

POOLINGS = {
    "avg": lambda: keras.layers.GlobalAveragePooling2D(name="average_pooling"),
    "max": lambda: keras.layers.GlobalMaxPooling2D(name="max_pooling"),
    "flatten": lambda: keras.layers.Flatten(name="flatten"),
}


POOLING_NAMES = ("average_pooling", "max_pooling", "flatten")  # of the layers that a head begins with


def add_head(maps: keras.KerasTensor, classes: int, head: Head) -> keras.KerasTensor:
    """From (batch, height, width, channels) to (batch, classes), or to (batch, 1) for sigmoid.

    Raises:
        ConvscopeError: there is no such pooling.
    """
    if head.pooling not in POOLINGS:
        raise unknown("pooling", head.pooling, POOLINGS)
    x = POOLINGS[head.pooling]()(maps)
    if head.units:
        x = keras.layers.Dense(head.units, activation=head.activation, name="dense")(x)
    x = keras.layers.Dropout(head.dropout, name="dropout")(x)
    return add_output(x, classes, head.output)


def head_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model's head, its pooling first."""
    names = [layer.name for layer in model.layers]
    return model.layers[next(index for index, name in enumerate(names) if name in POOLING_NAMES) :]


def split_at_head(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """A model with a head in two: pictures to pooled features, and features to classes.

    The first has the model's own layers. The second has copies with the same weights, to be trained on
    their own; `learn_from` brings back what they learned.
    """
    pooling, *rest = head_layers(model)
    copies = [type(layer).from_config(layer.get_config()) for layer in rest]
    inputs = keras.Input(pooling.output.shape[1:], name="features")
    head = keras.Sequential([inputs, *copies], name="head")
    for copy, layer in zip(copies, rest, strict=True):
        copy.set_weights(layer.get_weights())
    return keras.Model(model.inputs[0], pooling.output, name="trunk"), head


def learn_from(model: keras.Model, head: keras.Model) -> None:
    """Give the model's head the weights of its copy."""
    for layer, copy in zip(head_layers(model)[1:], head.layers, strict=True):
        layer.set_weights(copy.get_weights())


def add_output(features: keras.KerasTensor, classes: int, output: str) -> keras.KerasTensor:
    """The last layer: (batch, classes) with softmax, or one sigmoid unit, (batch, 1)."""
    units = 1 if output == "sigmoid" else classes
    return keras.layers.Dense(units, activation=output, name="predictions")(features)
