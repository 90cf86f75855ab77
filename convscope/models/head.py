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


def add_output(features: keras.KerasTensor, classes: int, output: str) -> keras.KerasTensor:
    """The last layer: (batch, classes) with softmax, or one sigmoid unit, (batch, 1)."""
    units = 1 if output == "sigmoid" else classes
    return keras.layers.Dense(units, activation=output, name="predictions")(features)
