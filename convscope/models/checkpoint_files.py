"""The files of checkpoints: find them without Keras, whose import takes seconds."""

from collections.abc import Iterable
from pathlib import Path

from convscope.errors import ConvscopeError

MODEL_FILE = "model.keras"
CONTRACT_FILE = "model.json"


def find_last_run(outputs: Path) -> Path:
    """Return the run directory under `outputs` with the newest model.

    Raises:
        ConvscopeError: there is none.
    """
    runs = _newest_first(outputs.rglob(MODEL_FILE))
    if not runs:
        raise ConvscopeError(
            f"no training run under {outputs}/: train a model with 'python train.py', or set "
            "checkpoint=RUN_OR_FILE"
        )
    return runs[0]


def is_run_directory(checkpoint: Path) -> bool:
    """Return whether a path is a run directory of `train.py`, or a `model.keras` beside its `model.json`."""
    has_contract = (checkpoint.parent / CONTRACT_FILE).is_file()
    return checkpoint.is_dir() or (checkpoint.name == MODEL_FILE and has_contract)


def _newest_first(models: Iterable[Path]) -> list[Path]:
    """Return the run directories of models that have a contract, the one with the newest model first."""
    complete = [path for path in models if (path.parent / CONTRACT_FILE).is_file()]
    return [path.parent for path in sorted(complete, key=lambda path: path.stat().st_mtime, reverse=True)]
