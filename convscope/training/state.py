"""The state of a run after an epoch, in a file: everything that a resumed run needs."""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.files import write_bytes

FILE = "state.npz"
_FACTS = "facts"


@dataclass(frozen=True)
class State:
    """The state of a run: `epochs` completed, `facts` of the callbacks, arrays of model and optimizer."""

    epochs: int
    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def restore(self, model: keras.Model) -> None:
        """Restore weights, optimizer and random generators of a compiled model.

        Raises:
            ConvscopeError: the state belongs to another model or optimizer.
        """
        variables = _variables(model)
        if {name: tuple(variable.shape) for name, variable in variables.items()} != {
            name: array.shape for name, array in self.arrays.items()
        }:
            raise ConvscopeError(
                f"{FILE} belongs to another model or optimizer: set overwrite=true, or choose another "
                "hydra.run.dir"
            )
        for name, variable in variables.items():
            variable.assign(self.arrays[name])


def save_state(path: Path, model: keras.Model, epochs: int, facts: dict[str, Any]) -> None:
    """Write the state after `epochs` epochs atomically."""
    arrays: dict[str, Any] = {name: np.asarray(variable) for name, variable in _variables(model).items()}
    arrays[_FACTS] = np.array(json.dumps({"epochs": epochs, **facts}))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def load_state(path: Path) -> State | None:
    """Return the state in a file, None if there is no file.

    Raises:
        ConvscopeError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name != _FACTS}
            facts = json.loads(str(file[_FACTS]))
            return State(int(facts.pop("epochs")), facts, arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ConvscopeError(
            f"cannot read {path} ({type(error).__name__}): set overwrite=true to start again"
        ) from None


def _variables(model: keras.Model) -> dict[str, Any]:
    """Return all variables that training changes: weights, statistics, generators, optimizer moments."""
    if not model.optimizer.built:  # a second build of LossScaleOptimizer would add its variables again
        model.optimizer.build(model.trainable_variables)
    owners = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {
        f"{owner}.{index}": variable
        for owner, variables in owners.items()
        for index, variable in enumerate(variables)
    }
