"""Features that a trunk computes once: kept on disk under a key of all that they depend on, and fed."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from convscope import __version__
from convscope.data.pipeline import epoch_order
from convscope.errors import ConvscopeError
from convscope.files import locked
from convscope.progress import progress


def key(trunk: keras.Model, preprocessing: dict[str, Any], images: Sequence[tuple[str, Any]]) -> str:
    """A name for the features of `images`, another one if anything changes that they depend on.

    Args:
        trunk: its layers, connections and weights count, what of it is trainable does not.
        preprocessing: what is done to pixels.
        images: (path, what tells its content apart) of each, in order.
    """
    graph = re.sub(r'"trainable": (true|false)', "", trunk.to_json())
    for number, operation in enumerate(trunk.operations):
        if not isinstance(operation, keras.layers.Layer):  # Keras names it anew every time
            graph = graph.replace(f'"{operation.name}"', f'"operation {number}"')
    versions = [keras.__version__, cv2.__version__, __version__]
    facts = json.dumps([graph, preprocessing, [list(each) for each in images], versions])
    digest = hashlib.sha256(facts.encode())
    for weight in trunk.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()[:32]


def cached(path: Path, trunk: keras.Model, batches: keras.utils.PyDataset) -> np.ndarray:
    """The trunk's output for every example of `batches`, in order: float32 (n, …), mapped from `path`.

    It is computed if the file is not there; one that was stopped on the way goes on where it was.

    Raises:
        ConvscopeError: another process is computing features in this folder.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.parent, f"another run is computing features in {path.parent}"):
            _compute(path, trunk, batches)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        raise ConvscopeError(f"cannot read the features in {path}: remove it") from None


def _compute(path: Path, trunk: keras.Model, batches: keras.utils.PyDataset) -> None:
    size = batches.batch_size
    shape = (len(batches.examples.labels), *trunk.output_shape[1:])
    beside = path.with_name(f".{path.name}.partial")
    features = _open_partial(beside, shape)
    missing = [
        index for index in range(len(batches)) if np.isnan(features[index * size : (index + 1) * size]).any()
    ]
    for index in progress(missing, desc="features", unit="batch", leave=False):
        computed = trunk.predict_on_batch(batches[index][0])
        features[index * size : index * size + len(computed)] = computed
    if not np.isfinite(features).all():
        beside.unlink()
        raise ConvscopeError(
            "the trunk's features are not finite: its weights diverged, or the pixels do not suit it"
        )
    features.flush()
    beside.replace(path)


def _open_partial(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """The array on disk that is being filled; what is not computed yet is not-a-number."""
    try:
        found = np.lib.format.open_memmap(path, mode="r+")
        if found.shape == shape and found.dtype == np.float32:
            return found
    except (OSError, ValueError):
        pass
    fresh = path.with_name(f"{path.name}.fresh")  # a file of zeros at first, which must not pass for features
    empty = np.lib.format.open_memmap(fresh, mode="w+", dtype=np.float32, shape=shape)
    empty[:] = np.nan
    empty.flush()
    fresh.replace(path)
    return empty


class FeatureBatches(keras.utils.PyDataset):
    """Batches of (features, labels), in an order that seed and epoch decide; `epoch` is set before each."""

    def __init__(
        self,
        features: np.ndarray,
        rows: np.ndarray,
        targets: np.ndarray,
        *,
        batch_size: int,
        shuffle_seed: int | None,
    ):
        """Describe the batches.

        Args:
            features: (n, …), of more examples than these, perhaps on disk.
            rows: int (m,), which of them.
            targets: what is to be learned of each, (m, classes), or (m, 1) for one sigmoid unit.
            batch_size: examples a batch; the last one may be smaller.
            shuffle_seed: None keeps the order.
        """
        super().__init__(workers=1)
        self.features, self.rows, self.targets = features, rows, targets
        self.batch_size, self.shuffle_seed = batch_size, shuffle_seed
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        order = epoch_order(len(self.rows), self.shuffle_seed, self.epoch)
        chosen = order[index * self.batch_size :][: self.batch_size]
        return np.array(self.features[self.rows[chosen]]), self.targets[chosen]
