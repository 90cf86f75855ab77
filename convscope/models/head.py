"""The classification head: from feature maps to classes. All networks use the same one."""

import keras

from convscope.errors import unknown
from convscope.models.head_settings import Head

POOLINGS = {
    "avg": lambda: keras.layers.GlobalAveragePooling2D(name="average_pooling"),
    "max": lambda: keras.layers.GlobalMaxPooling2D(name="max_pooling"),
    "flatten": lambda: keras.layers.Flatten(name="flatten"),
}


POOLING_NAMES = ("average_pooling", "max_pooling", "flatten")  # names of the first layer of a head


def add_head(maps: keras.KerasTensor, classes: int, head: Head) -> keras.KerasTensor:
    """Add a head to feature maps (batch, height, width, channels).

    Returns:
        A tensor (batch, classes) for softmax, (batch, 1) for sigmoid.

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
    """Return the layers of a model's head; the first one is the pooling."""
    names = [layer.name for layer in model.layers]
    return model.layers[next(index for index, name in enumerate(names) if name in POOLING_NAMES) :]


def split_at_head(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Split a model into a trunk (pictures to pooled features) and a head (features to classes).

    The trunk shares the layers of the model. The head consists of copies with equal weights, so that it can
    be trained separately; `learn_from` copies the trained weights back.
    """
    pooling, *rest = head_layers(model)
    copies = [type(layer).from_config(layer.get_config()) for layer in rest]
    inputs = keras.Input(pooling.output.shape[1:], name="features")
    head = keras.Sequential([inputs, *copies], name="head")
    for copy, layer in zip(copies, rest, strict=True):
        copy.set_weights(layer.get_weights())
    return keras.Model(model.inputs[0], pooling.output, name="trunk"), head


def learn_from(model: keras.Model, head: keras.Model) -> None:
    """Copy the weights of a separate head into the head of the model."""
    for layer, copy in zip(head_layers(model)[1:], head.layers, strict=True):
        layer.set_weights(copy.get_weights())


def add_output(features: keras.KerasTensor, classes: int, output: str) -> keras.KerasTensor:
    """Add the output layer: (batch, classes) with softmax, or a single sigmoid unit, (batch, 1)."""
    units = 1 if output == "sigmoid" else classes
    return keras.layers.Dense(units, activation=output, name="predictions")(features)
