"""The small convnet of the book: pairs of convolution and pooling, then two dense layers.

F. Chollet, Deep Learning with Python (2017), listings 5.5 and 5.13.
"""

from collections.abc import Sequence

import keras

from convscope.models.head import add_output


def build(
    classes: int,
    *,
    input_size: int,
    widths: Sequence[int] = (32, 64, 128, 128),
    units: int = 512,
    dropout: float = 0.5,
    batch_normalization: bool = False,
    output: str = "softmax",
) -> keras.Model:
    """Build an untrained convnet from (batch, input_size, input_size, 3) to (batch, classes).

    Args:
        classes: number of classes.
        input_size: height and width in pixels.
        widths: number of filters of each 3x3 convolution; a 2x2 max pooling follows each of them.
        units: units of the dense layer before the output layer.
        dropout: fraction of the flattened features that dropout sets to 0 in training.
        batch_normalization: add batch normalization before each ReLU; the ReLU is then a separate layer.
        output: "softmax", or "sigmoid": a single unit, the probability of the second of two classes.
    """
    inputs = keras.Input((input_size, input_size, 3), name="pixels")
    x = inputs
    for number, width in enumerate(widths, start=1):
        if batch_normalization:
            x = keras.layers.Conv2D(width, 3, use_bias=False, name=f"conv2d_{number}")(x)
            x = keras.layers.BatchNormalization(name=f"batch_normalization_{number}")(x)
            x = keras.layers.ReLU(name=f"relu_{number}")(x)
        else:
            x = keras.layers.Conv2D(width, 3, activation="relu", name=f"conv2d_{number}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"max_pooling2d_{number}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(units, activation="relu", name="dense")(x)
    return keras.Model(inputs, add_output(x, classes, output), name="small_convnet")
