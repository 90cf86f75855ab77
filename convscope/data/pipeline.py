"""Batches for Keras: decoded, resized, augmented, preprocessed, in an order that seed and epoch decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from convscope import decode, images
from convscope.data.augment import Augment
from convscope.data.manifest import Manifest
from convscope.errors import ConvscopeError
from convscope.preprocessing import Preprocessing


@dataclass(frozen=True)
class Examples:
    """Labelled photographs: `paths`, `labels` as indices into `classes`."""

    paths: list[Path]
    labels: np.ndarray
    classes: list[str]


def examples_of(root: Path, manifest: Manifest, split: str) -> Examples:
    """The photographs of one split of the data set in `root`; raises ConvscopeError if there are none."""
    records = manifest.of_split(split)
    if not records:
        raise ConvscopeError(f"the data set at {root} has no images for {split}: make it again")
    labels = [manifest.classes.index(record.label) for record in records]
    paths = [root / record.path for record in records]
    return Examples(paths, np.array(labels, np.int64), list(manifest.classes))


class Batches(keras.utils.PyDataset):
    """Batches of (pictures, one-hot labels): float32 (batch, height, width, 3) and (batch, classes).

    Order and augmentation of an epoch depend on `seed` and `epoch` alone; the training loop sets `epoch`
    before each (`fit` fetches a batch ahead of the first, so counting inside would be off). One worker:
    Keras 3.15 with more feeds some samples twice and leaves others out.
    """

    def __init__(
        self,
        examples: Examples,
        *,
        size: tuple[int, int],
        preprocessing: Preprocessing,
        batch_size: int,
        augment: Augment | None = None,
        shuffle_seed: int | None = None,
    ):
        """Describe the batches.

        Args:
            examples: the photographs.
            size: height and width of the model's input.
            preprocessing: the model's; it is applied here and nowhere else.
            batch_size: pictures a batch; the last one may be smaller.
            augment: see `convscope.data.augment`; None leaves the pictures alone.
            shuffle_seed: None keeps the order of `examples`.
        """
        super().__init__(workers=1, max_queue_size=4)
        self.examples = examples
        self.size = size
        self.preprocessing = preprocessing
        self.batch_size = batch_size
        self.augment = augment
        self.shuffle_seed = shuffle_seed
        self.epoch = 0
        self.failure: ConvscopeError | None = None  # what TensorFlow would bury in a trace of its own

    def __len__(self) -> int:
        return -(-len(self.examples.paths) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of the examples in the order of that epoch."""
        count = len(self.examples.paths)
        if self.shuffle_seed is None:
            return np.arange(count)
        return np.random.default_rng([self.shuffle_seed, epoch]).permutation(count)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order(self.epoch)[index * self.batch_size :][: self.batch_size]
        try:
            pictures = np.stack([self._picture(each) for each in chosen])
        except ConvscopeError as error:
            self.failure = error
            raise
        labels = np.eye(len(self.examples.classes), dtype=np.float32)[self.examples.labels[chosen]]
        return self.preprocessing.encode(pictures), labels

    def _picture(self, index: int) -> np.ndarray:
        pixels = images.resize(decode.load(self.examples.paths[index]), *self.size).astype(np.float32)
        if self.augment is None:
            return pixels
        seed = np.random.SeedSequence([self.shuffle_seed or 0, self.epoch, int(index)])
        return self.augment(pixels, int(seed.generate_state(1)[0]))


def encode_photographs(
    photographs: Sequence[np.ndarray], size: tuple[int, int], preprocessing: Preprocessing
) -> np.ndarray:
    """Photographs of any size as a model's input, as training does it: float32 (n, height, width, 3)."""
    resized = [images.resize(pixels, *size).astype(np.float32) for pixels in photographs]
    return preprocessing.encode(np.stack(resized))
