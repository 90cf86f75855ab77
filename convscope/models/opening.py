"""Open any Keras classifier: a run, a `.keras` or `.h5` file, an application, a model in memory."""

import hashlib
from collections import Counter
from copy import copy
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from convscope import run_directories
from convscope.errors import ConvscopeError, one_line
from convscope.files import sha256, user_path
from convscope.graph import Graph, as_probabilities, flatten, fresh_weights
from convscope.models.applications import application as application_of
from convscope.models.bundle import Contract, ModelBundle, read_contract
from convscope.models.checkpoint_files import CONTRACT_FILE, find_model_file, is_run_directory
from convscope.models.load import load_model
from convscope.models.pretrained import load_weights, renumber_names
from convscope.models.reading import CLASS_NAMES, IMAGENET, Reading

_NO_OPTIONS = Reading()


def open_checkpoint(checkpoint: Path, reading: Reading = _NO_OPTIONS) -> ModelBundle:
    """Open a run directory of `train.py`, or a file that Keras 2 or 3 saved.

    Loading is safe: files with code (Lambda layers, custom classes) are refused.

    Raises:
        ConvscopeError: the file is missing, damaged or unsafe, or an option is missing, wrong, or does not
            apply.
    """
    path = find_model_file(run_directories.follow_latest(checkpoint))
    contract_path = path.parent / CONTRACT_FILE
    if is_run_directory(checkpoint):
        contract = read_contract(contract_path)
        if reading.described():
            raise ConvscopeError(
                f"{', '.join(reading.described())} given for {path}: expected none of them, because "
                f"{contract_path} already describes the model; remove them"
            )
    else:
        contract = None
    model = load_model(path, allow_code=reading.allow_code)
    return bundle_of(model, reading, path=str(path), digest=sha256(path), contract=contract)


def with_fresh_weights(bundle: ModelBundle, seed: int) -> ModelBundle:
    """Set the weights of a bundle's model to random initial ones and return the new bundle.

    Raises:
        ConvscopeError: a layer cannot be copied from its configuration.
    """
    bundle.model.set_weights(fresh_weights(bundle.model, seed))
    return replace(
        bundle, path=f"random weights (seed {seed}) for {bundle.path}", sha256=_weights_sha256(bundle.model)
    )


def open_application(name: str, weights: str | None, reading: Reading = _NO_OPTIONS) -> ModelBundle:
    """Open a classifier of `keras.applications` with the 1,000 classes of ImageNet.

    Args:
        name: name of the application.
        weights: "imagenet" (Keras downloads them), None for random weights, or a file with the weights of the
            whole model.
        reading: options that replace the defaults of the application.

    Raises:
        ConvscopeError: the application is unknown, or its weights are not available or do not fit.
    """
    application = application_of(name)
    size = {"input_shape": (reading.input_size, reading.input_size, 3)} if reading.input_size else {}
    try:
        model = application.build(weights="imagenet" if weights == "imagenet" else None, **size)
    except Exception as error:
        if weights != "imagenet" or size:
            pixels = reading.input_size or application.input_size
            raise ConvscopeError(
                f"cannot build {name} for {pixels}×{pixels} pixels ({one_line(error)[:200]}): its default "
                f"size is {application.input_size}"
            ) from None
        raise ConvscopeError(
            f"cannot download the ImageNet weights of {name} ({one_line(error)}): connect to the internet, "
            "or set weights=FILE, or weights=null for random weights"
        ) from None
    if weights not in (None, "imagenet"):
        load_weights(name, model, user_path(str(weights)), whole=True)
    renumber_names(model)
    completed = copy(reading)
    completed.preprocessing = reading.preprocessing or application.preprocessing
    completed.class_names = reading.class_names or [IMAGENET]
    completed.input_size = reading.input_size or application.input_size  # some accept any size
    return bundle_of(model, completed, path=f"keras.applications.{name}, weights {weights or 'random'}")


def bundle_of(
    model: keras.Model,
    reading: Reading,
    *,
    path: str,
    digest: str | None = None,
    contract: Contract | None = None,
) -> ModelBundle:
    """Return the bundle of a model in memory, with the given contract or one made from the options.

    Raises:
        ConvscopeError: the model does not fit the contract, or an option is missing or wrong.
    """
    graph = flatten(model, input_name=reading.input, output_name=reading.output)
    flat = as_probabilities(graph.model, reading.outputs)
    contract = contract or _contract(model.name, flat, reading, path)
    _check_fit(flat, contract, path)
    return ModelBundle(
        Graph(flat, graph.layers, graph.opaque), contract, path, digest or _weights_sha256(model)
    )


def _contract(name: str, flat: keras.Model, reading: Reading, path: str) -> Contract:
    _, height, width, channels = _picture_shape(flat, path)
    input_size = _input_size((height, width), reading.input_size, path)
    reading.check_preprocessing(path)
    preprocessing, class_names = reading.resolve_preprocessing(), reading.read_class_names()
    assert preprocessing is not None
    outputs = flat.output_shape[-1]
    expected = 2 if outputs == 1 else outputs
    if len(class_names) != expected:
        raise ConvscopeError(
            f"{path} has {expected} classes, but class_names lists {len(class_names)}: set {CLASS_NAMES}"
        )
    if len(set(class_names)) < expected:
        repeated = [repr(name) for name, count in Counter(class_names).items() if count > 1]
        raise ConvscopeError(f"class_names repeats {', '.join(repeated[:5])}: expected unique names")
    preprocessing = preprocessing.grey() if channels == 1 else preprocessing
    return Contract(name, class_names, input_size, preprocessing)


def _input_size(sides: tuple[int | None, int | None], given: int | None, path: str) -> tuple[int, int]:
    """Return height and width of the input in pixels; `given` replaces sides that the model does not fix."""
    if None in sides and given is None:
        raise ConvscopeError(f"{path} accepts any input size: set input_size=PIXELS")
    if any(given not in (None, side) for side in sides if side is not None):
        raise ConvscopeError(
            f"input_size={given}: {path} takes {sides[0] or '?'}×{sides[1] or '?'} pixels; remove input_size"
        )
    height, width = (side or given for side in sides)
    assert height is not None
    assert width is not None
    return height, width


def _picture_shape(flat: keras.Model, path: str) -> tuple[int | None, ...]:
    shape = tuple(flat.inputs[0].shape)
    if len(shape) != 4 or shape[-1] not in (1, 3):
        raise ConvscopeError(
            f"{path} has the input shape {shape[1:]}: expected one picture, (height, width, 3) or (height, "
            "width, 1)"
        )
    return shape


def _check_fit(flat: keras.Model, contract: Contract, path: str) -> None:
    shape = tuple(flat.inputs[0].shape)
    expected = (None, *contract.input_size, contract.preprocessing.channels)
    fits = len(shape) == 4 and all(
        side in (None, wanted) for side, wanted in zip(shape, expected, strict=True)
    )
    if not fits:
        raise ConvscopeError(
            f"the input does not fit: {path} has the input shape {shape[1:]}, but {CONTRACT_FILE} or the "
            f"options describe {expected[1:]}"
        )
    classes, outputs = len(contract.class_names), flat.output_shape[-1]
    if outputs != classes and not (outputs == 1 and classes == 2):
        raise ConvscopeError(
            f"the output does not fit: {path} has {outputs} outputs, but {CONTRACT_FILE} lists {classes} "
            "classes"
        )


def _weights_sha256(model: keras.Model) -> str:
    """Return the SHA-256 of a model's weights, which identifies a model without a file."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
