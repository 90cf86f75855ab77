"""InceptionV3 with a head of its own, as one flat graph whose layers have the same names every time.

C. Szegedy et al., Rethinking the Inception Architecture for Computer Vision (2016).
"""

import re
import warnings
from pathlib import Path

import keras

from convscope.errors import ConvscopeError


def build(
    classes: int,
    *,
    input_size: int = 299,
    weights: str | None = "imagenet",
    units: int = 256,
    dropout: float = 0.1,
) -> keras.Model:
    """InceptionV3: (batch, input_size, input_size, 3) to (batch, classes), softmax; all of it trains.

    The head is the flowers project's: average pooling, a dense ReLU layer, dropout, softmax.

    Args:
        classes: how many.
        input_size: height and width in pixels, 75 or more.
        weights: "imagenet" (Keras downloads them), None for random ones, or the path of a
            `.weights.h5` file for the trunk (`include_top=False`).
        units: of the dense layer.
        dropout: fraction of its outputs that training drops.

    Raises:
        ConvscopeError: the weights are missing or do not fit.
    """
    trunk = _trunk(input_size, weights if weights == "imagenet" else None)
    if weights not in (None, "imagenet"):
        _load_weights(trunk, Path(weights).expanduser())
    x = keras.layers.GlobalAveragePooling2D(name="average_pooling")(trunk.output)
    x = keras.layers.Dense(units, activation="relu", name="dense")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    outputs = keras.layers.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(trunk.input, outputs, name="inception_v3")


def _trunk(input_size: int, weights: str | None) -> keras.Model:
    inputs = keras.Input((input_size, input_size, 3), name="pixels")
    try:
        trunk = keras.applications.InceptionV3(include_top=False, weights=weights, input_tensor=inputs)
    except Exception as error:
        if weights is None:
            raise
        raise ConvscopeError(
            f"cannot get InceptionV3's ImageNet weights ({' '.join(str(error).split())[:200]}): connect "
            "to the network, give model.weights=FILE, or model.weights=null for random ones"
        ) from None
    _count_names_anew(trunk)
    return trunk


def _count_names_anew(model: keras.Model) -> None:
    """Rename `conv2d_94`, `conv2d_95`, … to `conv2d`, `conv2d_1`, …, in the order of creation.

    Keras' automatic names count on from whatever the process has built before.
    """
    numbered: dict[str, list[tuple[int, keras.layers.Layer]]] = {}
    for layer in model.layers:
        automatic = re.fullmatch(
            r"(conv2d|batch_normalization|activation|\w+_pooling2d|concatenate)_?(\d*)", layer.name
        )
        if automatic:
            numbered.setdefault(automatic[1], []).append((int(automatic[2] or 0), layer))
    for base, layers in numbered.items():
        for number, (_, layer) in enumerate(sorted(layers, key=lambda pair: pair[0])):
            layer.name = f"{base}_{number}" if number else base


def _load_weights(trunk: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise ConvscopeError(f"no weights at {path}: give model.weights=FILE, imagenet or null")
    if not path.name.endswith((".weights.h5", ".keras", ".h5", ".hdf5")):
        raise ConvscopeError(f"{path} is no weights file: expected NAME.weights.h5")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of layers that it left random
            trunk.load_weights(path)
    except Exception as error:
        raise ConvscopeError(
            f"{path} does not fit InceptionV3 without its top ({' '.join(str(error).split())[:200]}): "
            "expected the weights of keras.applications.InceptionV3(include_top=False)"
        ) from None
