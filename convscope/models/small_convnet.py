"""The book's small convnet: convolution and pooling in turn, then two dense layers.

F. Chollet, Deep Learning with Python (2017), listings 5.5 and 5.13.
"""

from collections.abc import Sequence

import keras


def build(
    classes: int,
    *,
    input_size: int,
    widths: Sequence[int] = (32, 64, 128, 128),
    units: int = 512,
    dropout: float = 0.5,
) -> keras.Model:
    """An untrained convnet: (batch, input_size, input_size, 3) to (batch, classes), softmax.

    Args:
        classes: how many.
        input_size: height and width in pixels.
        widths: filters of each 3x3 convolution; a 2x2 max pooling follows each.
        units: of the dense layer before the last.
        dropout: fraction of the flattened features that training drops.
    """
    inputs = keras.Input((input_size, input_size, 3), name="pixels")
    x = inputs
    for number, width in enumerate(widths, start=1):
        x = keras.layers.Conv2D(width, 3, activation="relu", name=f"conv2d_{number}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"max_pooling2d_{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(units, activation="relu", name="dense")(x)
    outputs = keras.layers.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(inputs, outputs, name="small_convnet")
