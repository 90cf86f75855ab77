"""Snapshots: files with the weights of a model after epochs of its training."""

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
    """A file with the weights after `epoch` epochs; epoch 0 is before the first step."""

    epoch: int
    path: Path

    def weights(self, model: keras.Model) -> list[np.ndarray]:
        """Return the weights in the order of `model.get_weights()`. No code in the file is run.

        Raises:
            ConvscopeError: the file is damaged or belongs to another model.
        """
        expected = [tuple(weight.shape) for weight in model.weights]
        try:
            headers = _headers(self.path)
            shapes = [shape for shape, _ in headers]
            if shapes != expected:
                raise ConvscopeError(f"{self.path} does not fit the model: {_difference(shapes, expected)}")
            if not all(np.issubdtype(dtype, np.number) for _, dtype in headers):  # a text has any length
                raise TypeError("not numbers")
            with np.load(self.path, allow_pickle=False) as file:
                weights = [file[f"arr_{index}"] for index in range(len(file.files))]
        except _DAMAGED as error:
            raise ConvscopeError(
                f"cannot read {self.path} ({type(error).__name__}): remove the file, or train again with "
                "callbacks=[snapshots]"
            ) from None
        return weights


def save_snapshot(model: keras.Model, epoch: int, directory: Path) -> None:
    """Write the weights of a model to `snapshots/` of a run directory, atomically.

    The arrays are float32, in the order of `model.get_weights()`. The same weights give the same bytes.
    """
    buffer = io.BytesIO()
    np.savez(buffer, *model.get_weights())
    write_bytes(directory / FOLDER / f"epoch_{epoch:03d}.weights.npz", buffer.getvalue())


def remove_snapshots(directory: Path) -> None:
    """Delete the snapshots of a run directory, but not other files beside them."""
    for path in (directory / FOLDER).glob("*.npz"):
        if _NAME.fullmatch(path.name):
            path.unlink()


def is_snapshot(path: Path) -> bool:
    """Return whether a path has the suffix of a snapshot."""
    return path.name.endswith(".npz")


def snapshot_at(path: Path) -> Snapshot:
    """Return the snapshot in a file.

    Raises:
        ConvscopeError: the file name is not that of a snapshot.
    """
    match = _NAME.fullmatch(path.name)
    if not match:
        raise ConvscopeError(f"{path} is not a snapshot: expected snapshots/epoch_NNN.weights.npz of a run")
    return Snapshot(int(match[1]), path)


def find_snapshots(directory: Path) -> list[Snapshot]:
    """Return the snapshots of a run directory, sorted by epoch.

    Raises:
        ConvscopeError: there are none.
    """
    named = [(path, _NAME.fullmatch(path.name)) for path in (directory / FOLDER).glob("*.npz")]
    snapshots = [Snapshot(int(match[1]), path) for path, match in named if match]
    if not snapshots:
        raise ConvscopeError(
            f"no snapshots in {directory / FOLDER}: train with callbacks=[snapshots], which saves the "
            "weights of every epoch"
        )
    return sorted(snapshots, key=lambda snapshot: snapshot.epoch)


def _headers(path: Path) -> list[tuple[tuple[int, ...], np.dtype]]:
    """Return shape and type of the arrays in a file. Only headers are read: a wrong file can be large."""
    headers = []
    with zipfile.ZipFile(path) as archive:
        for index in range(len(archive.namelist())):
            with archive.open(f"arr_{index}.npy") as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0
                shape, _, dtype = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
                headers.append((shape, dtype))
    return headers


def _difference(shapes: Sequence[tuple[int, ...]], expected: Sequence[tuple[int, ...]]) -> str:
    """Return the first difference in words."""
    if len(shapes) != len(expected):
        return f"it has {len(shapes)} arrays, expected {len(expected)}"
    index = next(index for index, shape in enumerate(shapes) if shape != expected[index])
    return f"array {index} is {shapes[index]}, expected {expected[index]}"
