"""Snapshots: the weights of a model after some of the epochs of its training, one small file each."""

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from convscope.errors import ConvscopeError
from convscope.files import write_bytes

FOLDER = "snapshots"
_DAMAGED = (
    OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, RuntimeError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_NAME = re.compile(r"epoch_(\d{3,})\.weights\.npz")


@dataclass(frozen=True)
class Snapshot:
    """A file with the weights after `epoch` epochs; 0 is before the first step."""

    epoch: int
    path: Path

    def weights(self, model: keras.Model) -> list[np.ndarray]:
        """The weights, in the order of `model.get_weights()`; nothing in the file is run.

        Raises:
            ConvscopeError: the file is damaged, or is of another model.
        """
        expected = [tuple(each.shape) for each in model.weights]
        try:
            found = _shapes(self.path)
            if found != expected:
                raise ConvscopeError(f"{self.path} does not fit the model: {_difference(found, expected)}")
            with np.load(self.path, allow_pickle=False) as file:
                weights = [file[f"arr_{index}"] for index in range(len(file.files))]
            if not all(np.issubdtype(each.dtype, np.number) for each in weights):
                raise TypeError("no numbers")
        except _DAMAGED as error:
            raise ConvscopeError(
                f"cannot read {self.path} ({type(error).__name__}): remove it, or train again with "
                "callbacks=[snapshots]"
            ) from None
        return weights


def save_snapshot(model: keras.Model, epoch: int, directory: Path) -> None:
    """Write the model's weights into `snapshots/` of a run directory, whole or not at all.

    They are in the order of `model.get_weights()`, float32 whatever the model computes in; the same weights
    give the same bytes.
    """
    buffer = io.BytesIO()
    np.savez(buffer, *model.get_weights())
    write_bytes(directory / FOLDER / f"epoch_{epoch:03d}.weights.npz", buffer.getvalue())


def remove_snapshots(directory: Path) -> None:
    """Delete the snapshots of a run directory, and nothing else that is beside them."""
    for path in (directory / FOLDER).glob("*.npz"):
        if _NAME.fullmatch(path.name):
            path.unlink()


def is_snapshot(path: Path) -> bool:
    """Whether a file is named as arrays of weights are."""
    return path.name.endswith(".npz")


def snapshot_at(path: Path) -> Snapshot:
    """The snapshot in a file; raises ConvscopeError if its name is none of a snapshot's."""
    match = _NAME.fullmatch(path.name)
    if not match:
        raise ConvscopeError(f"{path} is no snapshot of a run: expected snapshots/epoch_NNN.weights.npz")
    return Snapshot(int(match[1]), path)


def find_snapshots(directory: Path) -> list[Snapshot]:
    """The snapshots of a run directory, sorted by epoch; raises ConvscopeError if there are none."""
    named = [(path, _NAME.fullmatch(path.name)) for path in (directory / FOLDER).glob("*.npz")]
    found = [Snapshot(int(match[1]), path) for path, match in named if match]
    if not found:
        raise ConvscopeError(
            f"no snapshots in {directory / FOLDER}: train with 'train.py callbacks=[snapshots]', which keeps "
            "the weights of every epoch"
        )
    return sorted(found, key=lambda each: each.epoch)


def _shapes(path: Path) -> list[tuple[int, ...]]:
    """Those of the arrays in the file, by their headers alone: those of another model may be large."""
    shapes = []
    with zipfile.ZipFile(path) as archive:
        for index in range(len(archive.namelist())):
            with archive.open(f"arr_{index}.npy") as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0
                shapes.append((read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)[0])
    return shapes


def _difference(found: Sequence[tuple[int, ...]], expected: Sequence[tuple[int, ...]]) -> str:
    """What is not as expected, the first of it."""
    if len(found) != len(expected):
        return f"it holds {len(found)} arrays, expected {len(expected)}"
    index = next(index for index, shape in enumerate(found) if shape != expected[index])
    return f"array {index} is {found[index]}, expected {expected[index]}"
