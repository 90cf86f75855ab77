"""Pretrained trunks with a new head in one flat graph, and the choice of the layers that train."""

import re
import warnings
from pathlib import Path

import keras

from convscope.errors import ConvscopeError, one_line, unknown
from convscope.files import user_path
from convscope.graph import copied, flatten, resized
from convscope.models.applications import Application
from convscope.models.checkpoint_files import check_weights_file
from convscope.models.head import POOLING_NAMES, Head, add_head, head_layers
from convscope.models.load import load_model


def from_application(
    application: Application, classes: int, *, input_size: int, weights: str | None, head: Head
) -> keras.Model:
    """Return a classifier of `keras.applications` with a new head.

    Args:
        application: the classifier.
        classes: number of classes.
        input_size: height and width in pixels.
        weights: "imagenet" (Keras downloads the weights), None for random weights, or the path of a
            `.weights.h5` file with the weights of the trunk (`include_top=False`).
        head: settings of the head.

    Raises:
        ConvscopeError: the weights are missing or do not fit, or the input is too small.
    """
    trunk = _trunk(application, input_size, weights if weights == "imagenet" else None)
    if weights not in (None, "imagenet"):
        load_weights(application.name, trunk, user_path(str(weights)))
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", application.name).lower()
    return _with_head(trunk, trunk.output, classes, head, name=snake)


def from_file(
    path: Path, classes: int, *, cut: str | None, head: Head, input_size: int | None = None
) -> keras.Model:
    """Return a saved model with a new head that replaces the old one.

    Args:
        path: a `.keras` or `.h5` file; its inner models are flattened. Files with code are refused.
        classes: number of classes.
        cut: name of the layer that the new head follows; None is the last layer with feature maps before the
            pooling.
        head: settings of the head.
        input_size: height and width in pixels; None is the size of the model.

    Raises:
        ConvscopeError: the file or the layer is missing, or the model has no feature maps or another input.
    """
    model = _flattened(load_model(path))
    shape = tuple(model.inputs[0].shape)
    if len(model.inputs) != 1 or len(shape) != 4 or shape[-1] != 3:
        raise ConvscopeError(
            f"{path} has the input shape {shape}: expected one colour picture, (batch, height, width, 3)"
        )
    maps = _cut(model, cut)
    trunk = keras.Model(model.inputs[0], maps.output)
    if input_size is not None and shape[1:3] != (input_size, input_size):
        trunk = copied(resized(trunk, (input_size, input_size), f"model.input_size={input_size}"))
    return _with_head(trunk, trunk.output, classes, head, name=f"{path.stem}_trunk")


def set_trainable(model: keras.Model, trainable: str) -> None:
    """Set which layers train: "all", "head", or the layer with that name and all layers after it.

    Except with "all", the batch normalization of the trunk is frozen: statistics and parameters.

    Raises:
        ConvscopeError: the layer is unknown.
    """
    if trainable == "all":
        return
    layers = model.layers
    first_of_head = len(layers) - len(head_layers(model))
    if trainable == "head":
        first = first_of_head
    else:
        names = [layer.name for layer in layers]
        if trainable not in names:
            raise unknown("layer", trainable, names)
        first = names.index(trainable)
    for index, layer in enumerate(layers):
        frozen = isinstance(layer, keras.layers.BatchNormalization) and index < first_of_head
        layer.trainable = index >= first and not frozen


def _with_head(
    trunk: keras.Model, maps: keras.KerasTensor, classes: int, head: Head, *, name: str
) -> keras.Model:
    head_names = {*POOLING_NAMES, "dense", "dropout", "predictions"}
    for layer in trunk.layers:
        if layer.name in head_names:
            layer.name = f"trunk_{layer.name}"
    return keras.Model(trunk.inputs[0], add_head(maps, classes, head), name=name)


def _trunk(application: Application, input_size: int, weights: str | None) -> keras.Model:
    inputs = keras.Input((input_size, input_size, 3), name="pixels")
    try:
        trunk = application.build(include_top=False, weights=weights, input_tensor=inputs)
    except Exception as error:
        reason = one_line(error)[:200]
        if weights is None:
            raise ConvscopeError(
                f"model.input_size={input_size} does not fit {application.name} ({reason}): its default size "
                f"is {application.input_size}"
            ) from None
        raise ConvscopeError(
            f"cannot download the ImageNet weights of {application.name} ({reason}): connect to the "
            "internet, or set model.weights=FILE, or model.weights=null for random weights"
        ) from None
    renumber_names(trunk)
    return _flattened(trunk)


def _flattened(model: keras.Model) -> keras.Model:
    """Return a model in float32 without inner models; the layers of one get its name as a prefix."""
    plain = [
        not isinstance(layer, keras.Model) and "float32" in layer.dtype_policy.name for layer in model.layers
    ]
    if getattr(model, "inputs", None) and all(plain):
        return model
    graph = flatten(model)
    for layer in graph.layers:
        if "@" not in layer.path:
            layer.keras_layer.name = layer.path.replace("/", "_")
    flat = keras.Model(graph.model.inputs[0], graph.model.outputs[0], name=model.name)
    return copied(flat)  # so that the layers have one output each


def renumber_names(model: keras.Model) -> None:
    """Rename `conv2d_94`, `conv2d_95`, … to `conv2d`, `conv2d_1`, …, in the order of creation.

    The automatic names of Keras depend on the models that the process has built before.
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
    """Return the automatic name of a layer in Keras, for example max_pooling2d for MaxPooling2D."""
    name = re.sub(r"\W+", "", type(layer).__name__)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def load_weights(name: str, model: keras.Model, path: Path, *, whole: bool = False) -> None:
    """Load the weights of an application of Keras from a file.

    Args:
        name: name of the application.
        model: the model that gets the weights.
        path: the file.
        whole: whether the model includes the top, the classifier of Keras.

    Raises:
        ConvscopeError: the file is missing, or it does not fit.
    """
    check_weights_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # for layers without weights in the file, Keras warns
            model.load_weights(path)
    except Exception as error:
        raise ConvscopeError(
            f"{path} does not fit {name} ({one_line(error)[:200]}): expected the weights of "
            f"keras.applications.{name}(include_top={whole})"
        ) from None


def _cut(model: keras.Model, name: str | None) -> keras.layers.Layer:
    """Return the layer that the head follows."""
    skipped = (
        keras.layers.InputLayer,
        keras.layers.Dropout,
        keras.layers.SpatialDropout2D,
        keras.layers.MaxPooling2D,
        keras.layers.AveragePooling2D,
        keras.layers.GlobalAveragePooling2D,
        keras.layers.GlobalMaxPooling2D,
    )
    with_maps = [layer for layer in model.layers if len(getattr(layer.output, "shape", ())) == 4]
    if name is not None:
        known = [layer.name for layer in with_maps]
        if name not in known:
            raise unknown("layer with feature maps", name, known)
        return with_maps[known.index(name)]
    with_maps = [layer for layer in with_maps if not isinstance(layer, skipped)]
    if not with_maps:
        raise ConvscopeError("model.file has no feature maps: expected a convolutional network")
    return with_maps[-1]
