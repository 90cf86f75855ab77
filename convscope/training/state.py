"""The state of a run after an epoch, on disk: all that a run needs to go on as if it had never stopped."""

import io
import json
import zipfile
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
    """What was read: `epochs` done, `facts` that callbacks want back, arrays of model and optimizer."""

    epochs: int
    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def restore(self, model: keras.Model) -> None:
        """Put weights, optimizer and random generators back; the model must be compiled.

        Raises:
            ConvscopeError: they are another model's.
        """
        variables = _variables(model)
        if {name: tuple(each.shape) for name, each in variables.items()} != {
            name: each.shape for name, each in self.arrays.items()
        }:
            raise ConvscopeError(
                f"{FILE} is of another model or optimizer: say overwrite=true, or choose another "
                "hydra.run.dir"
            )
        for name, variable in variables.items():
            variable.assign(self.arrays[name])


def save_state(path: Path, model: keras.Model, epochs: int, facts: dict[str, Any]) -> None:
    """Write the state after `epochs` epochs, whole or not at all."""
    arrays: dict[str, Any] = {name: np.asarray(each) for name, each in _variables(model).items()}
    arrays[_FACTS] = np.array(json.dumps({"epochs": epochs, **facts}))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def load_state(path: Path) -> State | None:
    """The state in a file, None if there is none; raises ConvscopeError if it is damaged."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name != _FACTS}
            facts = json.loads(str(file[_FACTS]))
            return State(int(facts.pop("epochs")), facts, arrays)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ConvscopeError(
            f"cannot read {path} ({type(error).__name__}): say overwrite=true to begin anew"
        ) from None


def _variables(model: keras.Model) -> dict[str, Any]:
    """Everything that changes in training: weights, statistics, generators, the optimizer's moments."""
    if not model.optimizer.built:  # LossScaleOptimizer.build adds its variables once more
        model.optimizer.build(model.trainable_variables)
    both = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {f"{kind}.{index}": each for kind, all_ in both.items() for index, each in enumerate(all_)}
