"""Batches for Keras: decoded, resized, augmented, preprocessed, in an order that seed and epoch decide."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np

from convscope import decode, images
from convscope.data.augment import Augment
from convscope.data.manifest import Manifest
from convscope.errors import ConvscopeError
from convscope.parallel import cores
from convscope.preprocessing import Preprocessing

cv2.setNumThreads(1)  # the threads are ours: a picture each


@dataclass(frozen=True)
class LabelledImages:
    """Labelled photographs: `paths`, `labels` as indices into `classes`.

    `plain` says that all are upright 8-bit JPEG or PNG files in RGB or grey, as stage 1 writes them.
    """

    paths: list[Path]
    labels: np.ndarray
    classes: list[str]
    plain: bool = False


def labelled_images(root: Path, manifest: Manifest, split: str) -> LabelledImages:
    """The photographs of one split of the data set in `root`; raises ConvscopeError if there are none."""
    records = manifest.of_split(split)
    if not records:
        raise ConvscopeError(f"the data set at {root} has no images for {split}: make it again")
    labels = [manifest.classes.index(record.label) for record in records]
    paths = [root / record.path for record in records]
    plain = all(record.sha256 for record in records)  # it has looked at each
    return LabelledImages(paths, np.array(labels, np.int64), list(manifest.classes), plain)


def epoch_order(count: int, seed: int | None, epoch: int) -> np.ndarray:
    """The indices of `count` examples in the order of that epoch; without a seed as they are."""
    if seed is None:
        return np.arange(count)
    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass(frozen=True)
class Randomness:
    """Random changes to training pictures; `seed` and the epoch determine all of them.

    The order of the pictures is shuffled. `augment` changes each picture (see `convscope.data.augment`; None:
    no change). `mixup` is alpha of the Beta distribution that mixes the pictures and labels of a batch
    (H. Zhang et al., mixup: Beyond Empirical Risk Minimization, 2018; 0: no mixing).
    """

    seed: int
    augment: Augment | None = None
    mixup: float = 0.0


class Batches(keras.utils.PyDataset):
    """Batches of (pictures, labels): float32 (batch, height, width, 3) and one-hot (batch, classes).

    Order and augmentation of an epoch depend on seed and `epoch` alone, not on the threads that make a
    batch; the training loop sets `epoch` before each (`fit` fetches a batch ahead of the first, so counting
    inside would be off). One worker: Keras 3.15 with more feeds some samples twice and leaves others out.
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
            size: height and width of the model's input.
            preprocessing: the model's; it is applied here and nowhere else.
            batch_size: pictures a batch; the last one may be smaller.
            binary: give labels as (batch, 1), 1 for the second class, instead of one-hot.
            randomness: None keeps the order of `examples` and the pictures as they are.
            threads: that make the pictures of a batch; None is one a core.
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
        self.failure: ConvscopeError | None = None  # what TensorFlow would bury in a trace of its own

    def __len__(self) -> int:
        return -(-len(self.examples.paths) // self.batch_size)

    @property
    def shuffle_seed(self) -> int | None:
        """The seed of the order, None if the order is fixed."""
        return self.randomness.seed if self.randomness else None

    def order(self, epoch: int) -> np.ndarray:
        """The indices of the examples in the order of that epoch."""
        return epoch_order(len(self.examples.paths), self.shuffle_seed, epoch)

    @property
    def targets(self) -> np.ndarray:
        """What the model is to say of each example, float32: one-hot (n, classes), or (n, 1)."""
        return self._encoded(self.examples.labels)

    def _encoded(self, labels: np.ndarray) -> np.ndarray:
        """Return class indices (n,) as float32 one-hot vectors (n, classes), or as (n, 1) if `binary`."""
        targets = (labels[:, None] == np.arange(len(self.examples.classes))).astype(np.float32)
        return targets[:, 1:] if self.binary else targets

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order(self.epoch)[index * self.batch_size :][: self.batch_size]
        pictures = np.empty(
            (len(chosen), *self.size, self.preprocessing.channels), np.float32
        )  # a fresh array for every batch

        def fill(place: int) -> None:
            _encode(self._picture(int(chosen[place])), self.preprocessing, pictures[place])

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
        read = decode.load_plain if self.examples.plain else decode.load
        pixels = images.resize(read(self.examples.paths[index]), *self.size)
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
    """Put a picture, 0..255, into `out` as the model's input; of uint8 by a table: the same, sooner."""
    by_value = preprocessing.invertible and preprocessing.order != "grey"
    if picture.dtype != np.uint8 or not by_value:
        out[...] = preprocessing.encode(picture)
        return
    table = preprocessing.table
    if preprocessing.order == "bgr":
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    if (table == table[..., :1]).all():  # the same for all channels, which takes half as long
        cv2.LUT(picture.reshape(len(picture), -1), table[0, :, 0], dst=out.reshape(len(picture), -1))
    else:
        cv2.LUT(picture, table, dst=out)


def encode_photographs(
    photographs: Sequence[np.ndarray], size: tuple[int, int], preprocessing: Preprocessing
) -> np.ndarray:
    """Photographs of any size as a model's input, as training does it: float32 (n, height, width, 3 or 1)."""
    return preprocessing.encode(np.stack([images.resize(pixels, *size) for pixels in photographs]))
