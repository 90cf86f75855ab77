"""The head: from feature maps to classes, the same for every network."""

from dataclasses import dataclass

import keras

from convscope.errors import unknown


@dataclass(frozen=True)
class Head:
    """What follows the trunk's feature maps.

    `pooling` is "avg", "max" or "flatten"; a dense layer of `units` with `activation` comes next, none
    if `units` is 0; `dropout` is the fraction of the last layer's inputs that training drops; `output` is
    "softmax", or "sigmoid" for one unit that is the probability of the second of two classes.
    """

    pooling: str = "avg"
    units: int = 256
    activation: str = "relu"
    dropout: float = 0.1
    output: str = "softmax"


POOLINGS = {
    "avg": lambda: keras.layers.GlobalAveragePooling2D(name="average_pooling"),
    "max": lambda: keras.layers.GlobalMaxPooling2D(name="max_pooling"),
    "flatten": lambda: keras.layers.Flatten(name="flatten"),
}


POOLING_NAMES = ("average_pooling", "max_pooling", "flatten")  # of the layers that a head begins with


def add_head(maps: keras.KerasTensor, classes: int, head: Head) -> keras.KerasTensor:
    """Return the output of a head on feature maps: (batch, classes), or (batch, 1) for sigmoid.

    Args:
        maps: (batch, height, width, channels).
        classes: number of classes.
        head: settings of the head.

    Raises:
        ConvscopeError: the pooling is unknown.
    """
    if head.pooling not in POOLINGS:
        raise unknown("pooling", head.pooling, POOLINGS)
    x = POOLINGS[head.pooling]()(maps)
    if head.units:
        x = keras.layers.Dense(head.units, activation=head.activation, name="dense")(x)
    x = keras.layers.Dropout(head.dropout, name="dropout")(x)
    return add_output(x, classes, head.output)


def head_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a model's head, beginning with the pooling."""
    names = [layer.name for layer in model.layers]
    return model.layers[next(index for index, name in enumerate(names) if name in POOLING_NAMES) :]


def split_at_head(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return a model in two parts: from pictures to pooled features, and from features to classes.

    The first part has the layers of the model. The second has copies with the same weights, for a training of
    the head alone; `learn_from` copies its weights back.
    """
    pooling, *rest = head_layers(model)
    copies = [type(layer).from_config(layer.get_config()) for layer in rest]
    inputs = keras.Input(pooling.output.shape[1:], name="features")
    head = keras.Sequential([inputs, *copies], name="head")
    for copy, layer in zip(copies, rest, strict=True):
        copy.set_weights(layer.get_weights())
    return keras.Model(model.inputs[0], pooling.output, name="trunk"), head


def learn_from(model: keras.Model, head: keras.Model) -> None:
    """Copy the weights of a separate head to the model."""
    for layer, copy in zip(head_layers(model)[1:], head.layers, strict=True):
        layer.set_weights(copy.get_weights())


def add_output(features: keras.KerasTensor, classes: int, output: str) -> keras.KerasTensor:
    """Return the output of the last layer: (batch, classes) with softmax, or (batch, 1) with sigmoid."""
    units = 1 if output == "sigmoid" else classes
    return keras.layers.Dense(units, activation=output, name="predictions")(features)
