"""Batches for Keras: photographs decoded, resized, augmented and preprocessed, in a reproducible order."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import keras
import numpy as np

from convscope import decode, images
from convscope.data.augment import Augment
from convscope.data.manifest import Manifest
from convscope.data.pixel_cache import PixelCache
from convscope.errors import ConvscopeError
from convscope.parallel import cores
from convscope.preprocessing import Preprocessing


@dataclass(frozen=True)
class LabelledImages:
    """Labelled photographs: `paths`, and `labels` as indices into `classes`, int (n,).

    `plain`: all files are upright 8-bit JPEG or PNG files in RGB or grey, as stage 1 writes them.
    """

    paths: list[Path]
    labels: np.ndarray
    classes: list[str]
    plain: bool = False

    def at(self, indices: np.ndarray) -> "LabelledImages":
        """Return some of the photographs; `indices` is int (n,)."""
        return replace(self, paths=[self.paths[index] for index in indices], labels=self.labels[indices])

    def spread(self, most: int) -> "LabelledImages":
        """Return at most `most` of the photographs, evenly spread."""
        chosen = np.unique(np.linspace(0, len(self.paths) - 1, most).round().astype(int))
        return self.at(chosen)

    def fraction(self, share: float) -> "LabelledImages":
        """Return a share of each class, at least one photograph; smaller shares are parts of larger ones.

        The order is that of a hash of class and file name, so it does not depend on the folder.
        """
        if share == 1:
            return self
        names = [f"{path.parent.name}/{path.name}" for path in self.paths]
        place = [hashlib.blake2b(name.encode(errors="surrogateescape")).digest() for name in names]
        chosen: list[int] = []
        for label in np.unique(self.labels):
            own = sorted(np.flatnonzero(self.labels == label).tolist(), key=place.__getitem__)
            chosen += own[: max(1, round(share * len(own)))]
        return self.at(np.sort(chosen))

    def read(self, index: int) -> np.ndarray:
        """Return a photograph, uint8 (height, width, 3)."""
        return (decode.load_plain if self.plain else decode.load)(self.paths[index])


def labelled_images(root: Path, manifest: Manifest, split: str) -> LabelledImages:
    """Return the photographs of a split of the data set in `root`.

    Raises:
        ConvscopeError: the split has no images.
    """
    records = manifest.of_split(split)
    if not records:
        raise ConvscopeError(
            f"the data set at {root} has no {split} images: choose another split, or make the data set again"
        )
    index_of = {name: index for index, name in enumerate(manifest.classes)}
    labels = [index_of[record.label] for record in records]
    paths = [root / record.path for record in records]
    plain = all(record.sha256 for record in records)  # stage 1 has inspected every file
    return LabelledImages(paths, np.array(labels, np.int64), list(manifest.classes), plain)


@lru_cache(maxsize=4)  # every batch of an epoch needs it; a permutation takes time in proportion to `count`
def epoch_order(count: int, seed: int | None, epoch: int) -> np.ndarray:
    """Return the indices of `count` examples in the order of an epoch; ascending without a seed."""
    order = np.arange(count) if seed is None else np.random.default_rng([seed, epoch]).permutation(count)
    order.flags.writeable = False  # it is shared
    return order


@dataclass(frozen=True)
class Randomness:
    """Random changes to training pictures; `seed` and the epoch determine all of them.

    The order of the pictures is shuffled. `augment` changes each picture (see `convscope.data.augment`); None
    changes nothing. `mixup` is alpha of the Beta distribution that mixes the pictures and labels of a batch
    (H. Zhang et al., mixup: Beyond Empirical Risk Minimization, 2018); 0 mixes nothing.
    """

    seed: int
    augment: Augment | None = None
    mixup: float = 0.0


class Batches(keras.utils.PyDataset):
    """Batches of (pictures, labels): float32 (batch, height, width, 3) and one-hot (batch, classes).

    Order and augmentation depend only on the seed and on `epoch`, not on the threads. The training loop sets
    `epoch` before each epoch. (The number of calls does not give the epoch: `fit` fetches a batch before the
    first one.) There is one worker, because Keras 3.15 with several workers repeats some samples and omits
    others.
    """

    def __init__(
        self,
        examples: LabelledImages,
        *,
        size: tuple[int, int],
        preprocessing: Preprocessing,
        batch_size: int,
        binary: bool = False,
        randomness: Randomness | None = None,
        threads: int | None = None,
    ):
        """Describe the batches.

        Args:
            examples: the photographs.
            size: height and width of the model's input, in pixels.
            preprocessing: the preprocessing of the model.
            batch_size: pictures per batch; the last batch may be smaller.
            binary: return labels as (batch, 1), 1 for the second class, instead of one-hot.
            randomness: random changes for training; None keeps order and pictures unchanged.
            threads: the number of threads that load pictures; None uses one per core.
        """
        super().__init__(workers=1, max_queue_size=4)
        self.examples = examples
        self.size = size
        self.preprocessing = preprocessing
        self.batch_size = batch_size
        self.randomness = randomness
        self.epoch = 0
        self.threads = threads or cores()
        self.binary = binary
        self._pool: ThreadPoolExecutor | None = None
        self.failure: ConvscopeError | None = None  # the original error; TensorFlow raises its own instead
        self._cache: PixelCache | None = None

    def keep_pixels(self) -> None:
        """Keep the photographs in memory, decoded and resized, so that later epochs do not read the files."""
        self._cache = PixelCache(len(self.examples.paths), self.size)

    def resized(self, size: tuple[int, int]) -> "Batches":
        """Return the same batches with pictures of another height and width."""
        return Batches(
            self.examples,
            size=size,
            preprocessing=self.preprocessing,
            batch_size=self.batch_size,
            binary=self.binary,
            randomness=self.randomness,
            threads=self.threads,
        )

    def __len__(self) -> int:
        return -(-len(self.examples.paths) // self.batch_size)

    @property
    def shuffle_seed(self) -> int | None:
        """The seed of the order, None if the order is fixed."""
        return self.randomness.seed if self.randomness else None

    def order(self, epoch: int) -> np.ndarray:
        """Return the indices of the examples in the order of an epoch."""
        return epoch_order(len(self.examples.paths), self.shuffle_seed, epoch)

    @property
    def targets(self) -> np.ndarray:
        """The labels of all examples, float32: one-hot (n, classes), or (n, 1) if `binary`."""
        return self._encoded(self.examples.labels)

    def _encoded(self, labels: np.ndarray) -> np.ndarray:
        """Return class indices (n,) as float32 one-hot vectors (n, classes), or as (n, 1) if `binary`."""
        targets = (labels[:, None] == np.arange(len(self.examples.classes))).astype(np.float32)
        return targets[:, 1:] if self.binary else targets

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order(self.epoch)[index * self.batch_size :][: self.batch_size]
        shape = (len(chosen), *self.size, self.preprocessing.channels)
        pictures = np.empty(shape, np.float32)  # a new array: Keras may still use the previous one

        def fill(row: int) -> None:
            _encode(self._picture(int(chosen[row])), self.preprocessing, pictures[row])

        try:
            list(self._threads().map(fill, range(len(chosen))))
        except ConvscopeError as error:
            self.failure = error
            raise
        labels = self._encoded(self.examples.labels[chosen])
        random = self.randomness
        if random is None or not random.mixup:
            return pictures, labels
        generator = np.random.default_rng([random.seed, self.epoch, index, len(pictures)])
        return _mix(pictures, labels, generator, random.mixup)

    def _picture(self, index: int) -> np.ndarray:
        def read() -> np.ndarray:
            return images.resize(self.examples.read(index), *self.size)

        pixels = self._cache.get(index, read) if self._cache else read()
        random = self.randomness
        if random is None or random.augment is None:
            return pixels
        seed = np.random.SeedSequence([random.seed, self.epoch, index])
        return random.augment(pixels, int(seed.generate_state(1)[0]))

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads)
        return self._pool


def _mix(
    pictures: np.ndarray, labels: np.ndarray, generator: np.random.Generator, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return each picture and its label, mixed with another picture of the batch in the same proportion."""
    share = generator.beta(alpha, alpha, len(pictures)).astype(np.float32)
    other = generator.permutation(len(pictures))
    of_picture, of_label = share[:, None, None, None], share[:, None]
    return (
        of_picture * pictures + (1 - of_picture) * pictures[other],
        of_label * labels + (1 - of_label) * labels[other],
    )


def _encode(picture: np.ndarray, preprocessing: Preprocessing, out: np.ndarray) -> None:
    """Write a preprocessed picture (0 to 255) into `out`; a lookup table makes uint8 pictures faster."""
    has_table = preprocessing.invertible and preprocessing.order != "grey"
    if picture.dtype != np.uint8 or not has_table:
        out[...] = preprocessing.encode(picture)
        return
    table = preprocessing.table
    if preprocessing.order == "bgr":
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    if (table == table[..., :1]).all():  # one table for all channels takes half the time
        cv2.LUT(picture.reshape(len(picture), -1), table[0, :, 0], dst=out.reshape(len(picture), -1))
    else:
        cv2.LUT(picture, table, dst=out)


def encode_photographs(
    photographs: Sequence[np.ndarray], size: tuple[int, int], preprocessing: Preprocessing
) -> np.ndarray:
    """Return photographs of any size as the input of a model: float32 (n, height, width, 3 or 1)."""
    return preprocessing.encode(np.stack([images.resize(pixels, *size) for pixels in photographs]))
