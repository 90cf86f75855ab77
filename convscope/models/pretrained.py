"""Trunks that are trained already, each in one flat graph with a head of our own, and what of it trains."""

import re
import warnings
from pathlib import Path

import keras

from convscope.errors import ConvscopeError, one_line, unknown
from convscope.graph import at_size, copied, flatten
from convscope.models.applications import Application
from convscope.models.head import POOLING_NAMES, Head, add_head, head_layers
from convscope.models.load import load_model


def from_application(
    application: Application, classes: int, *, input_size: int, weights: str | None, head: Head
) -> keras.Model:
    """A classifier of `keras.applications` with a new head: (batch, input_size, input_size, 3) to classes.

    Args:
        application: which.
        classes: how many.
        input_size: height and width in pixels.
        weights: "imagenet" (Keras downloads them), None for random ones, or the path of a `.weights.h5`
            file for the trunk (`include_top=False`).
        head: what follows the trunk.

    Raises:
        ConvscopeError: the weights are missing or do not fit, or the input is too small.
    """
    trunk = _trunk(application, input_size, weights if weights == "imagenet" else None)
    if weights not in (None, "imagenet"):
        load_weights(application.name, trunk, Path(str(weights)).expanduser())
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", application.name).lower()
    return _with_head(trunk, trunk.output, classes, head, name=snake)


def from_file(
    path: Path, classes: int, *, cut: str | None, head: Head, input_size: int | None = None
) -> keras.Model:
    """A saved model as a trunk, with a new head in the place of its own.

    Args:
        path: a `.keras` or `.h5` file; models inside it are laid flat. Loading is safe: one that
            holds code is refused.
        classes: how many.
        cut: the layer whose feature maps the head takes; None is the last that has some, before pooling.
        head: what follows.
        input_size: height and width in pixels if the file leaves them open; else they must agree.

    Raises:
        ConvscopeError: no such file or layer, or a model of another kind.
    """
    model = _laid_flat(load_model(path))
    shape = tuple(model.inputs[0].shape)
    if len(model.inputs) != 1 or len(shape) != 4 or shape[-1] != 3:
        raise ConvscopeError(f"{path} takes {shape}: expected one colour picture, (height, width, 3)")
    if input_size is not None and shape[1] not in (None, input_size):
        raise ConvscopeError(f"{path} takes {shape[1]}×{shape[2]} pixels, not model.input_size={input_size}")
    if input_size is not None and None in shape[1:3]:
        model = copied(at_size(model, (input_size, input_size, 3)))
    maps = _cut(model, cut)
    trunk = keras.Model(model.inputs[0], maps.output)
    return _with_head(trunk, maps.output, classes, head, name=f"{path.stem}_trunk")


def set_trainable(model: keras.Model, trainable: str) -> None:
    """Choose what trains: "all", "head", or everything from the layer of that name up.

    Unless all trains, the batch normalisation of the trunk keeps its statistics and its parameters.

    Raises:
        ConvscopeError: there is no such layer.
    """
    if trainable == "all":
        return
    layers = model.layers
    of_head = len(layers) - len(head_layers(model))
    if trainable == "head":
        first = of_head
    else:
        found = [layer.name for layer in layers]
        if trainable not in found:
            raise unknown("layer", trainable, found)
        first = found.index(trainable)
    for index, layer in enumerate(layers):
        frozen = isinstance(layer, keras.layers.BatchNormalization) and index < of_head
        layer.trainable = index >= first and not frozen


def _with_head(
    trunk: keras.Model, maps: keras.KerasTensor, classes: int, head: Head, *, name: str
) -> keras.Model:
    taken = {*POOLING_NAMES, "dense", "dropout", "predictions"}
    for layer in trunk.layers:
        if layer.name in taken:
            layer.name = f"trunk_{layer.name}"
    return keras.Model(trunk.inputs[0], add_head(maps, classes, head), name=name)


def _trunk(application: Application, input_size: int, weights: str | None) -> keras.Model:
    inputs = keras.Input((input_size, input_size, 3), name="pixels")
    try:
        trunk = application.build(include_top=False, weights=weights, input_tensor=inputs)
    except Exception as error:
        said = one_line(error)[:200]
        if weights is None:
            raise ConvscopeError(
                f"model.input_size={input_size} does not fit {application.name} ({said}): its own is "
                f"{application.input_size}"
            ) from None
        raise ConvscopeError(
            f"cannot get {application.name}'s ImageNet weights ({said}): connect to the network, give "
            "model.weights=FILE, or model.weights=null for random ones"
        ) from None
    count_names_anew(trunk)
    return _laid_flat(trunk)


def _laid_flat(model: keras.Model) -> keras.Model:
    """One graph in float32 without models inside; their layers are named after them: `trunk_block1_conv1`.

    The model is not to be used any more.
    """
    plain = [
        not isinstance(each, keras.Model) and "float32" in each.dtype_policy.name for each in model.layers
    ]
    if getattr(model, "inputs", None) and all(plain):
        return model
    graph = flatten(model)
    for layer in graph.layers:
        if "@" not in layer.path:
            layer.keras_layer.name = layer.path.replace("/", "_")
    flat = keras.Model(graph.model.inputs[0], graph.model.outputs[0], name=model.name)
    return copied(flat)  # whose layers have one output each


def count_names_anew(model: keras.Model) -> None:
    """Rename `conv2d_94`, `conv2d_95`, … to `conv2d`, `conv2d_1`, …, in the order of creation.

    Keras' automatic names count on from whatever the process has built before.
    """
    numbered: dict[str, list[tuple[int, keras.layers.Layer]]] = {}
    for layer in model.layers:
        automatic = re.fullmatch(rf"{_automatic_name(layer)}_?(\d*)", layer.name)
        if automatic:
            numbered.setdefault(_automatic_name(layer), []).append((int(automatic[1] or 0), layer))
    for base, layers in numbered.items():
        for number, (_, layer) in enumerate(sorted(layers, key=lambda pair: pair[0])):
            layer.name = f"{base}_{number}" if number else base


def _automatic_name(layer: keras.layers.Layer) -> str:
    """As Keras makes it of the class: Conv2D to conv2d, MaxPooling2D to max_pooling2d."""
    name = re.sub(r"\W+", "", type(layer).__name__)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def load_weights(name: str, model: keras.Model, path: Path, *, whole: bool = False) -> None:
    """Give an application of Keras', without its top or whole, the weights of a file.

    Raises:
        ConvscopeError: there is no such file, or it does not fit.
    """
    if not path.is_file():
        raise ConvscopeError(f"no weights at {path}: expected a file, imagenet or null")
    if not path.name.endswith((".weights.h5", ".keras", ".h5", ".hdf5")):
        raise ConvscopeError(f"{path} is no weights file: expected NAME.weights.h5")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of layers that it left random
            model.load_weights(path)
    except Exception as error:
        raise ConvscopeError(
            f"{path} does not fit {name} {'whole' if whole else 'without its top'} "
            f"({one_line(error)[:200]}): expected the weights of "
            f"keras.applications.{name}(include_top={whole})"
        ) from None


def _cut(model: keras.Model, name: str | None) -> keras.layers.Layer:
    """The layer that the head is put on."""
    skipped = (
        keras.layers.InputLayer,
        keras.layers.Dropout,
        keras.layers.SpatialDropout2D,
        keras.layers.MaxPooling2D,
        keras.layers.AveragePooling2D,
        keras.layers.GlobalAveragePooling2D,
        keras.layers.GlobalMaxPooling2D,
    )
    having = [layer for layer in model.layers if len(getattr(layer.output, "shape", ())) == 4]
    if name is not None:
        known = [layer.name for layer in having]
        if name not in known:
            raise unknown("layer with feature maps", name, known)
        return having[known.index(name)]
    having = [layer for layer in having if not isinstance(layer, skipped)]
    if not having:
        raise ConvscopeError("model.file has no feature maps: expected a convolutional network")
    return having[-1]
