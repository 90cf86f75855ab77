"""The bundle: a model and its contract, stored as `model.keras` and `model.json`."""

import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from convscope import __version__
from convscope.errors import ConvscopeError, one_line
from convscope.files import naming, read_json, write_json
from convscope.graph import Graph, Layer
from convscope.models.calibration import Calibration
from convscope.models.checkpoint_files import CONTRACT_FILE, MODEL_FILE
from convscope.names import check_class_names
from convscope.preprocessing import Preprocessing

VERSION = 1
_CALIBRATIONS = ("calibration", "variant_calibration")
_DATASET = {
    "name": str, "path": str, "manifest_sha256": str, "split_sha256": str, "images": dict, "fold": int
}  # fmt: skip


@dataclass(frozen=True)
class Contract:
    """The information that is needed to use a model: its input, its preprocessing, its classes.

    `class_names` are in the order of the outputs. `input_size` is (height, width) in pixels. `dataset` and
    `training` describe how the model was made. The calibrations are known after the training: that of single
    predictions, and that of averages over variants of each photograph (the option `tta`).
    """

    name: str
    class_names: list[str]
    input_size: tuple[int, int]
    preprocessing: Preprocessing
    dataset: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    variant_calibration: Calibration | None = None

    def calibration_of(self, variants: Sequence[str]) -> Calibration | None:
        """Return the calibration for these variants of each photograph, None if it is unknown."""
        both = (self.calibration, self.variant_calibration)
        return next((one for one in both if one and one.variants == tuple(variants)), None)

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
        for key in _CALIBRATIONS:
            if calibration := getattr(self, key):
                content[key] = calibration.to_json()
        write_json(directory / CONTRACT_FILE, content)


@dataclass(frozen=True)
class ModelBundle:
    """A flat graph, its contract, the path of its file, and the SHA-256 of the file or of the weights."""

    graph: Graph = field(repr=False)  # its repr has thousands of characters
    contract: Contract
    path: str
    sha256: str

    @property
    def model(self) -> keras.Model:
        """The model from pictures (batch, height, width, channels) to probabilities.

        They are (batch, classes), or, with a single sigmoid unit, (batch, 1): those of the second class.
        """
        return self.graph.model

    @property
    def layers(self) -> list[Layer]:
        """All layers, also those of inner models, in topological order."""
        return self.graph.layers


def versions() -> dict[str, str]:
    """Return the versions of the software that a result can depend on, by name."""
    tensorflow = sys.modules.get("tensorflow")
    return {
        "convscope": __version__,
        "python": platform.python_version(),
        "keras": importlib.metadata.version("keras"),
        "tensorflow": getattr(tensorflow, "__version__", "not loaded"),
        "numpy": importlib.metadata.version("numpy"),
    }


def save_model(model: keras.Model, directory: Path) -> None:
    """Write `model.keras` atomically."""
    partial = directory / ".partial.keras"  # Keras requires the suffix
    try:
        with naming(directory / MODEL_FILE):
            model.save(partial)
            partial.replace(directory / MODEL_FILE)
    finally:
        partial.unlink(missing_ok=True)


def read_contract(path: Path) -> Contract:
    """Return the contract in a `model.json`.

    Raises:
        ConvscopeError: the file is missing or malformed, or has an unknown version.
    """
    if not path.is_file():
        raise ConvscopeError(
            f"no {path.name} beside the checkpoint: expected {path}, which a training writes with the "
            "classes and the preprocessing of the model"
        )
    try:
        content = read_json(path)
        if content["version"] != VERSION:
            raise ConvscopeError(
                f"{path} has version {content['version']!r}, expected {VERSION}: train the model again with "
                "this version of convscope"
            )
        _check_kinds(content)
        height, width = content["input_size"]
        return Contract(
            name=content["model"],
            class_names=content["class_names"],
            input_size=(height, width),
            preprocessing=Preprocessing.from_json(content["preprocessing"]),
            dataset=content.get("dataset", {}),
            training=content.get("training", {}),
            **{key: Calibration.from_json(content.get(key)) for key in _CALIBRATIONS},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConvscopeError(
            f"malformed {path} ({type(error).__name__}: {one_line(error)}): expected the file that a "
            "training wrote"
        ) from None


def _check_kinds(content: dict[str, Any]) -> None:
    """Raise ValueError if a value has the wrong type."""
    check_class_names(content["class_names"], "class_names")
    if not isinstance(content["model"], str):
        raise ValueError("model is not a text")
    sides = content["input_size"]
    if not isinstance(sides, list) or [type(side) for side in sides] != [int, int] or min(sides) < 1:
        raise ValueError(f"input_size is {sides!r}, not a height and a width in pixels")
    for key in ("dataset", "training"):
        if not isinstance(content.get(key, {}), dict):
            raise ValueError(f"{key} is not an object")
    for key, kind in _DATASET.items():
        value = content.get("dataset", {}).get(key)
        if value is not None and type(value) is not kind:
            raise ValueError(f"dataset.{key} is {value!r}, not {kind.__name__}")
