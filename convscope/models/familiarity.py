"""Which photographs are unlike the training data: those with features far from the known ones."""

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope.errors import ConvscopeError
from convscope.files import write_bytes

FILE = "familiarity.npz"
NEIGHBOURS = 5
FLAGGED = 0.05  # the share of validation images beyond the threshold
_MOST_IMAGES, _MOST_VALUES = 5000, 8_000_000  # that are stored
_LARGEST = 4 * _MOST_VALUES  # bytes of the file without compression; one image may have more features
_UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error
)  # fmt: skip
_BLOCK = 256  # photographs that are compared at once


@dataclass(frozen=True)
class Familiarity:
    """Features of training photographs, and a distance that few photographs like them exceed.

    Attributes:
        features: float16 (n, features), of length 1.
        threshold: the distance that 5 % of the validation images exceed.
    """

    features: np.ndarray
    threshold: float

    @classmethod
    def fit(cls, training: np.ndarray, validation: np.ndarray) -> "Familiarity":
        """Choose the threshold; see `distances` for the features, float (n, …)."""
        stored = _of_length_1(training).astype(np.float16)
        distances = cls(stored, np.inf).distances(validation)
        return cls(stored, float(np.quantile(distances, 1 - FLAGGED)))

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Return the distance of photographs to the fifth nearest training photograph, float32 (n,), 0 to 2.

        All features are scaled to length 1 before.

        Y. Sun, Y. Ming, X. Zhu and Y. Li, Out-of-Distribution Detection with Deep Nearest Neighbors (2022).

        Args:
            features: float (n, …), the input of the last layer.
        """
        known = self.features.astype(np.float32)
        nearest = min(NEIGHBOURS, len(known)) - 1
        result = [np.empty(0, np.float32)]
        for first in range(0, len(features), _BLOCK):
            cosines = _of_length_1(features[first : first + _BLOCK]) @ known.T
            squares = np.partition(2 - 2 * cosines, nearest, axis=1)[:, nearest]
            result.append(np.sqrt(np.maximum(squares, 0)))
        return np.concatenate(result)

    def save(self, directory: Path) -> None:
        """Write `familiarity.npz`."""
        content = io.BytesIO()
        np.savez_compressed(content, features=self.features, threshold=np.float64(self.threshold))
        write_bytes(directory / FILE, content.getvalue())


def most_images(features: int) -> int:
    """Return the number of training images whose features are stored; it bounds the size of the file."""
    return max(1, min(_MOST_IMAGES, _MOST_VALUES // features))


def read_familiarity(directory: Path, features: int) -> Familiarity | None:
    """Return the familiarity in a run directory, None if there is none.

    `features` is their number in the model.

    Raises:
        ConvscopeError: the file is damaged, or belongs to another model.
    """
    path = directory / FILE
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > _LARGEST:
            raise ValueError(f"it has {size:,} bytes, expected at most {_LARGEST:,}")
        with np.load(path, allow_pickle=False) as content:
            stored, threshold = content["features"], float(content["threshold"])
        if stored.ndim != 2 or len(stored) < 1 or stored.dtype != np.float16 or stored.shape[1] != features:
            raise ValueError(f"it does not have {features} features of images")
    except _UNREADABLE as error:
        raise ConvscopeError(
            f"cannot read {path} ({error}): remove the file to predict without it, or train the model again"
        ) from None
    return Familiarity(stored, threshold)


def _of_length_1(features: np.ndarray) -> np.ndarray:
    features = features.reshape(len(features), -1).astype(np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
