"""Opening any Keras classifier: a run, a `.keras` or legacy `.h5` file, an application, a model in memory."""

import hashlib
import json
from copy import copy
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from convscope.errors import ConvscopeError, one_line
from convscope.files import sha256
from convscope.graph import Graph, as_probabilities, flatten, fresh_weights
from convscope.models.applications import application as application_of
from convscope.models.bundle import CONTRACT_FILE, MODEL_FILE, Contract, ModelBundle, read_contract
from convscope.models.load import SUFFIXES, load_model
from convscope.models.pretrained import count_names_anew, load_weights
from convscope.models.reading import Reading
from convscope.models.snapshots import snapshot_at

_IMAGENET_CLASSES = Path(__file__).with_name("imagenet_classes.json")


_NOTHING = Reading()


def open_checkpoint(checkpoint: Path, reading: Reading = _NOTHING) -> ModelBundle:
    """Open a run directory of `train.py`, or a file that Keras 2 or 3 saved, with `model.json` beside or not.

    Loading is safe: a file that holds code (a Lambda, a class of its own) is refused.

    Raises:
        ConvscopeError: something is missing, damaged, unsafe, not known, or does not fit together.
    """
    path = checkpoint / MODEL_FILE if checkpoint.is_dir() else checkpoint
    if not path.is_file():
        raise ConvscopeError(
            f"no checkpoint at {path}: expected a run directory of train.py, or a file {', '.join(SUFFIXES)}"
        )
    contract_path = path.parent / CONTRACT_FILE
    if of_run(checkpoint):
        contract = read_contract(contract_path)
        if reading.described():
            raise ConvscopeError(
                f"{', '.join(reading.described())} given for {path}: expected none of them, because "
                f"{contract_path} describes the model; remove them"
            )
    else:
        contract = None
    model = load_model(path, allow_code=reading.allow_code)
    return bundle_of(model, reading, path=str(path), digest=sha256(path), contract=contract)


def of_run(checkpoint: Path) -> bool:
    """Whether it is a run directory of `train.py`, or the model in one, whose `model.json` is beside it."""
    beside = (checkpoint.parent / CONTRACT_FILE).is_file()
    return checkpoint.is_dir() or (checkpoint.name == MODEL_FILE and beside)


def open_snapshot(path: Path, *, allow_code: bool = False) -> ModelBundle:
    """The model of a run with the weights of one of its snapshots, `RUN/snapshots/epoch_NNN.weights.npz`.

    Raises:
        ConvscopeError: there is no such file, it is in no run, or does not fit the run's model.
    """
    if not path.is_file():
        raise ConvscopeError(f"no snapshot at {path}: expected RUN/snapshots/epoch_NNN.weights.npz")
    run = path.parent.parent
    contract = read_contract(run / CONTRACT_FILE)
    model = load_model(run / MODEL_FILE, allow_code=allow_code)
    model.set_weights(snapshot_at(path).weights(model))
    return bundle_of(model, _NOTHING, path=str(path), digest=sha256(path), contract=contract)


def with_fresh_weights(bundle: ModelBundle, seed: int) -> ModelBundle:
    """The bundle, whose model gets the weights that it would begin a training with; for its seed the same.

    Raises:
        ConvscopeError: a layer cannot be made again from its configuration.
    """
    bundle.model.set_weights(fresh_weights(bundle.model, seed))
    return replace(
        bundle, path=f"random weights (seed {seed}) for {bundle.path}", sha256=_of_weights(bundle.model)
    )


def open_application(name: str, weights: str | None, reading: Reading = _NOTHING) -> ModelBundle:
    """A classifier of `keras.applications` with its 1,000 classes of ImageNet.

    Args:
        name: in `keras.applications`.
        weights: "imagenet" (Keras downloads them), None for random ones, or a file of the whole model's.
        reading: what is given here is not taken from the application.

    Raises:
        ConvscopeError: there is no such application, or its weights cannot be had or do not fit.
    """
    wanted = application_of(name)
    size = {"input_shape": (reading.input_size, reading.input_size, 3)} if reading.input_size else {}
    try:
        model = wanted.build(weights="imagenet" if weights == "imagenet" else None, **size)
    except Exception as error:
        if weights != "imagenet" or size:
            pixels = reading.input_size or wanted.input_size
            raise ConvscopeError(
                f"cannot build {name} for {pixels} pixels ({one_line(error)[:200]}): its own size is "
                f"{wanted.input_size}"
            ) from None
        raise ConvscopeError(
            f"cannot get {name}'s ImageNet weights ({one_line(error)}): connect to the network, or give "
            "weights=FILE, or weights=null for random ones"
        ) from None
    if weights not in (None, "imagenet"):
        load_weights(name, model, Path(str(weights)).expanduser(), whole=True)
    count_names_anew(model)
    known = copy(reading)
    known.preprocessing = reading.preprocessing or wanted.preprocessing
    known.class_names = reading.class_names or _imagenet_classes()
    known.input_size = reading.input_size or wanted.input_size  # some applications accept any size
    return bundle_of(model, known, path=f"keras.applications.{name}, weights {weights or 'random'}")


def _imagenet_classes() -> list[str]:
    """In the order of the outputs; two pairs of classes share a name, and get their number with it."""
    names = json.loads(_IMAGENET_CLASSES.read_text("utf-8"))
    return [f"{name} ({index})" if names.count(name) > 1 else name for index, name in enumerate(names)]


def bundle_of(
    model: keras.Model,
    reading: Reading,
    *,
    path: str,
    digest: str | None = None,
    contract: Contract | None = None,
) -> ModelBundle:
    """A model in memory, laid flat, with its contract: the one given, or one made of what `reading` says.

    Raises:
        ConvscopeError: the model does not fit the contract, or something must be said that is not.
    """
    graph = flatten(model, input_name=reading.input, output_name=reading.output)
    flat = as_probabilities(graph.model, reading.outputs)
    contract = contract or _contract(model.name, flat, reading, path)
    _check_fit(flat, contract, path)
    return ModelBundle(Graph(flat, graph.layers, graph.opaque), contract, path, digest or _of_weights(model))


def _contract(name: str, flat: keras.Model, reading: Reading, path: str) -> Contract:
    _, height, width, channels = _picture_shape(flat, path)
    input_size = _input_size((height, width), reading.input_size, path)
    preprocessing, class_names = reading.resolve_preprocessing(), reading.read_class_names()
    if preprocessing is None:
        raise ConvscopeError(
            f"what {path} expects of pixels is not known, and nobody should guess: say preprocessing="
            "unit_range, minus_one_to_one, caffe, torch or none, or affine with scale and offset"
        )
    outputs = flat.output_shape[-1]
    expected = 2 if outputs == 1 else outputs
    if len(class_names) != expected:
        raise ConvscopeError(
            f"{path} tells {expected} classes apart, class_names has {len(class_names)}: say "
            "class_names=[FIRST,SECOND,…] in the order of the outputs, or class_names=@FILE, a name a line"
        )
    if len(set(class_names)) < expected:
        raise ConvscopeError(f"class_names={class_names}: expected each name once")
    preprocessing = preprocessing.grey() if channels == 1 else preprocessing
    return Contract(name, class_names, input_size, preprocessing)


def _input_size(sides: tuple[int | None, int | None], given: int | None, path: str) -> tuple[int, int]:
    """Return the height and width of the model's input in pixels, where `given` fills what is open."""
    if None in sides and given is None:
        raise ConvscopeError(f"{path} leaves the size of its input open: say input_size=PIXELS")
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
            f"{path} takes {shape[1:]}: expected one picture, (height, width, 3) or (height, width, 1)"
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
            f"the checkpoint's input does not fit: {path} takes {shape[1:]}, expected one picture of "
            f"{expected[1:]}, as {CONTRACT_FILE} or input_size says"
        )
    classes, outputs = len(contract.class_names), flat.output_shape[-1]
    if outputs != classes and not (outputs == 1 and classes == 2):
        raise ConvscopeError(
            f"the checkpoint's output does not fit: {path} gives {outputs}, {CONTRACT_FILE} names "
            f"{classes} classes"
        )


def _of_weights(model: keras.Model) -> str:
    """The SHA-256 of a model that is no file: of its weights."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
