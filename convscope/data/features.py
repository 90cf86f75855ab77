"""A content-addressed cache of the features of a frozen trunk, and batches of features."""

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
from convscope.files import beside, waiting_for
from convscope.progress import progress


def key(trunk: keras.Model, preprocessing: dict[str, Any], images: Sequence[tuple[str, Any]]) -> str:
    """Return a cache key: it changes with everything that the features of `images` depend on.

    Args:
        trunk: the model. The key depends on its layers, connections and weights, but not on `trainable`.
        preprocessing: the preprocessing of the pixels, as JSON.
        images: (path, identifier of the content) of each image, in order.
    """
    graph = re.sub(r'"trainable": (true|false)', "", trunk.to_json())
    for number, operation in enumerate(trunk.operations):
        if not isinstance(operation, keras.layers.Layer):  # Keras gives it a new name every time
            graph = graph.replace(f'"{operation.name}"', f'"operation {number}"')
    versions = [keras.__version__, cv2.__version__, __version__]
    facts = json.dumps([graph, preprocessing, [list(image) for image in images], versions])
    digest = hashlib.sha256(facts.encode())
    for weight in trunk.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()[:32]


def cached(path: Path, trunk: keras.Model, batches: keras.utils.PyDataset) -> np.ndarray:
    """Return the output of the trunk for every example, in order: float32 (n, …), memory-mapped from `path`.

    The features are computed if the file does not exist. An interrupted computation is resumed. While another
    process computes features in this folder, which may be the same, wait.

    Raises:
        ConvscopeError: the features are not finite, or the file is damaged.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with waiting_for(path.parent / ".lock", "waiting for another run, which is computing features"):
            if not path.is_file():
                _compute(path, trunk, batches)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        raise ConvscopeError(f"cannot read the features in {path}: remove the file and run again") from None


def _compute(path: Path, trunk: keras.Model, batches: keras.utils.PyDataset) -> None:
    size = batches.batch_size
    shape = (len(batches.examples.labels), *trunk.output_shape[1:])
    partial = path.with_name(f".{path.name}.partial")
    features = _open_partial(partial, shape)
    missing = [
        index for index in range(len(batches)) if np.isnan(features[index * size : (index + 1) * size]).any()
    ]
    for index in progress(missing, desc="features", unit="batch", leave=False):
        computed = trunk.predict_on_batch(batches[index][0])
        features[index * size : index * size + len(computed)] = computed
    if not np.isfinite(features).all():
        partial.unlink()
        raise ConvscopeError(
            "the features of the trunk are not finite: check its weights and its preprocessing"
        )
    features.flush()
    partial.replace(path)


def _open_partial(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """Open or create the file for the features; values that are not computed yet are NaN."""
    try:
        partial = np.lib.format.open_memmap(path, mode="r+")
        if partial.shape == shape and partial.dtype == np.float32:
            return partial
    except (OSError, ValueError):
        pass
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    row = np.full(shape[1:], np.nan, "<f4").tobytes()  # zeros would look computed
    with (
        beside(path) as fresh,
        fresh.open("wb") as file,
    ):  # on a full disk, a memory map would kill the process
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(shape[0]):
            file.write(row)
    return np.lib.format.open_memmap(path, mode="r+")


class FeatureBatches(keras.utils.PyDataset):
    """Batches of (features, labels) in an order set by `shuffle_seed` and `epoch`."""

    def __init__(
        self,
        features: np.ndarray,
        rows: np.ndarray,
        targets: np.ndarray,
        *,
        batch_size: int,
        shuffle_seed: int | None,
    ):
        """Define the batches.

        Args:
            features: (n, …), possibly memory-mapped; may contain more examples than are used.
            rows: int (m,), the indices of the examples that are used.
            targets: the targets, (m, classes), or (m, 1) for one sigmoid unit.
            batch_size: examples per batch; the last batch may be smaller.
            shuffle_seed: seed of the order; None keeps the order.
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
