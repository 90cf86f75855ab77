"""The files of checkpoints: find them and check them without Keras, whose import takes seconds."""

import itertools
import zipfile
from collections.abc import Iterable
from pathlib import Path

from convscope import invocation, run_directories
from convscope.errors import ConvscopeError
from convscope.files import open_regular

MODEL_FILE = "model.keras"
CONTRACT_FILE = "model.json"
SUFFIXES = (".keras", ".h5", ".hdf5")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_LISTED_RUNS = 4  # in an error message
_OTHER_FORMATS = {
    (".pth", ".pt"): (
        "a file of PyTorch, which Keras cannot open",
        "build the same network in Keras and copy its weights",
    ),
    (".ckpt", ".index", ".pb"): (
        "a file of TensorFlow without a model of Keras",
        "build the model in Python, load the weights into it, and call model.save('model.keras')",
    ),
    (".pkl", ".pickle", ".joblib"): (
        "a pickle, which can run any code",
        "open it in the program that wrote it, and call model.save('model.keras')",
    ),
    (".tflite", ".onnx", ".safetensors", ".mlmodel"): (
        "a format that Keras cannot open",
        "save the original model of Keras with model.save('model.keras')",
    ),
    (".npz", ".npy"): (
        "a file of arrays without a model",
        "save the whole model with model.save('model.keras')",
    ),
}
_EXPECTED = f"a training run, or a {', '.join(SUFFIXES)} file"


def find_model_file(checkpoint: Path) -> Path:
    """Return the file of the model in a checkpoint: a file, or a directory with `model.keras`.

    Raises:
        ConvscopeError: the file is missing, has another format, or has weights without a model.
    """
    if checkpoint.is_dir() and not (checkpoint / MODEL_FILE).is_file():
        raise ConvscopeError(_describe_directory(checkpoint))
    path = checkpoint / MODEL_FILE if checkpoint.is_dir() else checkpoint
    check_model_file(path)
    return path


def check_model_file(path: Path) -> None:
    """Raise ConvscopeError if a file is missing, has another format, or has weights without a model."""
    if path.is_dir():
        raise ConvscopeError(_describe_directory(path))
    if not path.is_file():
        raise ConvscopeError(f"no checkpoint at {path}: expected {_EXPECTED}")
    if path.name.endswith(".weights.h5"):
        raise ConvscopeError(f"{path} has weights without a model: expected a file with a whole model")
    for suffixes, (description, remedy) in _OTHER_FORMATS.items():
        if path.suffix.lower() in suffixes:
            raise ConvscopeError(f"{path} is {description}: expected a {', '.join(SUFFIXES)} file; {remedy}")
    if path.suffix not in SUFFIXES:
        raise ConvscopeError(f"{path} is not a file of Keras: expected {', '.join(SUFFIXES)}")
    _check_content(path)


def _check_content(path: Path) -> None:
    """Raise ConvscopeError unless a file has the format that its suffix says: zip archive or HDF5."""
    if path.suffix == ".keras":
        if zipfile.is_zipfile(path):
            return
        if _is_hdf5(path):
            raise ConvscopeError(f"{path} is an HDF5 file: rename it to {path.with_suffix('.h5').name}")
        raise ConvscopeError(f"{path} is damaged or incomplete: expected a zip archive that Keras wrote")
    if not _is_hdf5(path):
        if zipfile.is_zipfile(path):
            raise ConvscopeError(f"{path} is a zip archive: rename it to {path.with_suffix('.keras').name}")
        raise ConvscopeError(f"{path} is damaged or incomplete: expected an HDF5 file that Keras wrote")


def _is_hdf5(path: Path) -> bool:
    with open_regular(path) as file:
        head = file.read(4096)
    return any(head.startswith(_HDF5, offset) for offset in (0, 512, 1024, 2048))  # after a user block


def check_weights_file(path: Path) -> None:
    """Raise ConvscopeError if a file with the weights of an application is missing or has another format."""
    if not path.is_file():
        raise ConvscopeError(f"no weights at {path}: expected a file, imagenet or null")
    if not path.name.endswith((".weights.h5", *SUFFIXES)):
        raise ConvscopeError(f"{path} is not a weights file: expected NAME.weights.h5")


def find_last_run(outputs: Path) -> Path:
    """Return the run directory under `outputs` with the newest model.

    Raises:
        ConvscopeError: there is none.
    """
    runs = _newest_first(outputs.rglob(MODEL_FILE))
    if not runs:
        raise ConvscopeError(
            f"no training run under {outputs}/: train a model with '{invocation.command('train')}', or set "
            "checkpoint=RUN_OR_FILE, or application=MobileNetV2 for a network of Keras"
        )
    return runs[0]


def is_run_directory(checkpoint: Path) -> bool:
    """Return whether a path is a run directory of `train.py`, or a `model.keras` beside its `model.json`."""
    has_contract = (checkpoint.parent / CONTRACT_FILE).is_file()
    return checkpoint.is_dir() or (checkpoint.name == MODEL_FILE and has_contract)


def _describe_directory(directory: Path) -> str:
    """Return the message for a directory without `model.keras`."""
    if (directory / "saved_model.pb").is_file():
        return (
            f"{directory} is a SavedModel of TensorFlow: expected {_EXPECTED}; open it with Keras 2 (package "
            "tf_keras) and call model.save('model.h5')"
        )
    below = (directory.glob("*/" * depth + MODEL_FILE) for depth in (1, 2, 3))
    runs = _newest_first(itertools.chain.from_iterable(below))
    if runs:
        more = ", …" if len(runs) > _LISTED_RUNS else ""
        return (
            f"{directory} has no {MODEL_FILE}, but contains {len(runs)} run(s): expected one of "
            f"{_join(runs[:_LISTED_RUNS])}{more}"
        )
    files = sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES)
    if files:
        return f"{directory} has no {MODEL_FILE}: expected one of its files, {_join(files[:_LISTED_RUNS])}"
    return f"no checkpoint at {directory / MODEL_FILE}: expected {_EXPECTED}"


def _newest_first(models: Iterable[Path]) -> list[Path]:
    """Return the run directories of models that have a contract, the one with the newest model first."""
    complete = [
        path
        for path in models
        if (path.parent / CONTRACT_FILE).is_file() and path == run_directories.follow_latest(path)
    ]
    return [path.parent for path in sorted(complete, key=lambda path: path.stat().st_mtime, reverse=True)]


def _join(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))
