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
from convscope.files import write_json
from convscope.graph import Graph, Layer
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
    """A model laid flat, its contract, where it is from, and the SHA-256 of its file or its weights."""

    graph: Graph = field(repr=False)  # thousands of characters
    contract: Contract
    path: str
    sha256: str

    @property
    def model(self) -> keras.Model:
        """From one picture to the probabilities of the classes, or to that of the second of two."""
        return self.graph.model

    @property
    def layers(self) -> list[Layer]:
        """All layers, at any depth, in graph order."""
        return self.graph.layers


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
