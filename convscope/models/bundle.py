"""The bundle: a model with what one must know to use it, as `model.keras` and `model.json`."""

import importlib.metadata
import json
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from convscope import __version__
from convscope.errors import ConvscopeError
from convscope.files import sha256, write_json
from convscope.preprocessing import Preprocessing

MODEL_FILE = "model.keras"
CONTRACT_FILE = "model.json"
VERSION = 1


@dataclass(frozen=True)
class Contract:
    """What one must know to feed a model and to read its output.

    `class_names` are in the order of the outputs, `input_size` is (height, width) in pixels, `dataset`
    and `training` say where the model comes from.
    """

    name: str
    class_names: list[str]
    input_size: tuple[int, int]
    preprocessing: Preprocessing
    dataset: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        """Write `model.json`."""
        content = {
            "version": VERSION,
            "model": self.name,
            "class_names": self.class_names,
            "input_size": list(self.input_size),
            "preprocessing": self.preprocessing.to_json(),
            "dataset": self.dataset,
            "training": self.training,
            "versions": versions(),
        }
        write_json(directory / CONTRACT_FILE, content)


@dataclass(frozen=True)
class ModelBundle:
    """A model, its contract, its file and the SHA-256 of that file."""

    model: keras.Model
    contract: Contract
    path: Path
    sha256: str


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    tensorflow = sys.modules.get("tensorflow")
    return {
        "convscope": __version__,
        "python": platform.python_version(),
        "keras": importlib.metadata.version("keras"),
        "tensorflow": getattr(tensorflow, "__version__", "not loaded"),
        "numpy": importlib.metadata.version("numpy"),
    }


def save_model(model: keras.Model, directory: Path) -> None:
    """Write `model.keras`, whole or not at all."""
    beside = directory / ".partial.keras"  # Keras wants the ending
    model.save(beside)
    beside.replace(directory / MODEL_FILE)


def find_last_run(outputs: Path) -> Path:
    """The directory under `outputs` with the newest `model.keras`; raises ConvscopeError without one."""
    found = [path for path in outputs.rglob(MODEL_FILE) if (path.parent / CONTRACT_FILE).is_file()]
    if not found:
        raise ConvscopeError(
            f"no training run under {outputs}/: train a model with 'python train.py', or give "
            "checkpoint=RUN_OR_FILE"
        )
    return max(found, key=lambda path: path.stat().st_mtime).parent


def open_bundle(checkpoint: Path) -> ModelBundle:
    """Open a run directory, or a `.keras` file with its `model.json` beside it.

    Loading is safe: a file that holds code (a Lambda, a class of its own) is refused.

    Raises:
        ConvscopeError: something is missing, damaged, unsafe, or does not fit together.
    """
    path = checkpoint / MODEL_FILE if checkpoint.is_dir() else checkpoint
    if not path.is_file():
        wanted = "a run directory of train.py or a .keras file"
        raise ConvscopeError(f"no checkpoint at {path}: expected {wanted} in checkpoint=")
    contract = read_contract(path.parent / CONTRACT_FILE)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ConvscopeError(f"cannot open {path}: {reason}") from None
    _check_fit(model, contract, path)
    return ModelBundle(model, contract, path, sha256(path))


def read_contract(path: Path) -> Contract:
    """Read a `model.json`; raises ConvscopeError if it is missing or malformed."""
    if not path.is_file():
        raise ConvscopeError(
            f"no {path.name} beside the checkpoint (looked for {path}): it names the classes and the "
            "preprocessing, which train.py writes and nobody should guess"
        )
    try:
        content = json.loads(path.read_text("utf-8"))
        height, width = (int(side) for side in content["input_size"])
        return Contract(
            name=str(content["model"]),
            class_names=[str(name) for name in content["class_names"]],
            input_size=(height, width),
            preprocessing=Preprocessing.from_json(content["preprocessing"]),
            dataset=dict(content.get("dataset", {})),
            training=dict(content.get("training", {})),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConvscopeError(f"malformed {path} ({type(error).__name__}: {error})") from None


def _check_fit(model: keras.Model, contract: Contract, path: Path) -> None:
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    expected = (None, *contract.input_size, 3)
    fits = (
        len(shapes) == 1
        and len(shapes[0]) == 4
        and all(side in (None, wanted) for side, wanted in zip(shapes[0], expected, strict=True))
    )
    if not fits:
        raise ConvscopeError(
            f"the checkpoint's input does not fit: {path} takes {shapes}, {CONTRACT_FILE} says one "
            f"picture of {expected[1:]}"
        )
    outputs = [tuple(tensor.shape) for tensor in model.outputs]
    classes = len(contract.class_names)
    if outputs != [(None, classes)] and not (outputs == [(None, 1)] and classes == 2):
        raise ConvscopeError(
            f"the checkpoint's output does not fit: {path} gives {outputs}, {CONTRACT_FILE} names "
            f"{classes} classes"
        )
