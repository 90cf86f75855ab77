import tracemalloc
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope import decode
from convscope.data.augment import Augment, Ranges, fast_augmentation
from convscope.data.pipeline import Batches, LabelledImages, Randomness, _encode, encode_photographs
from convscope.images import save_png
from convscope.preprocessing import by_name
from convscope.training.callbacks import SetEpoch


@pytest.fixture
def examples(tmp_path: Path) -> LabelledImages:
    """37 grey pictures; every value of picture i is 3 i, which identifies it in a batch."""
    for index in range(37):
        save_png(tmp_path / f"{index:02}.png", np.full((8, 8, 3), 3 * index, np.uint8))
    return LabelledImages(sorted(tmp_path.iterdir()), np.arange(37) % 2, ["even", "odd"])


def batches(examples: LabelledImages, **options: object) -> Batches:
    random = {key: options.pop(key) for key in ("seed", "augment", "mixup") if key in options}
    if random:
        options["randomness"] = Randomness(**random)
    settings = {"size": (8, 8), "preprocessing": by_name("none"), "batch_size": 5} | options
    return Batches(examples, **settings)


class Recorder(keras.Model):
    """A model that records the pictures of each training step."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.seen: list[list[int]] = []

    def call(self, x: object) -> object:
        return self.dense(keras.layers.Flatten()(x))

    def train_step(self, data: tuple) -> dict:
        pictures, labels = (np.asarray(array) for array in data)
        identities = (pictures[:, 0, 0, 0] / 3).round().astype(int)
        assert (labels.argmax(axis=1) == identities % 2).all()
        self.seen[-1].extend(identities.tolist())
        return {"loss": 0.0}


class NewEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.model.seen.append([])


@pytest.mark.parametrize("preprocessing", ["none", "unit_range", "caffe", "minus_one_to_one"])
@pytest.mark.parametrize(
    "augment", [None, fast_augmentation(Ranges(rotation_range=30, brightness_range=[0.5, 1]))]
)
def test_photographs_in_memory_give_the_same_batches_without_their_files(
    examples: LabelledImages, preprocessing: str, augment: Augment | None
) -> None:
    settings = {"preprocessing": by_name(preprocessing), "size": (6, 7), "seed": 3, "augment": augment}
    read, kept = batches(examples, **settings), batches(examples, **settings)
    kept.keep_pixels()
    first, second = [], []
    for epoch in range(2):
        read.epoch = epoch
        first.append([read[index] for index in range(len(read))])
    for epoch in range(2):
        kept.epoch = epoch
        second.append([kept[index] for index in range(len(kept))])
        for path in examples.paths:
            path.unlink(missing_ok=True)
    for one, two in zip(first, second, strict=True):
        for (pictures, labels), (kept_pictures, kept_labels) in zip(one, two, strict=True):
            np.testing.assert_array_equal(pictures, kept_pictures)
            np.testing.assert_array_equal(labels, kept_labels)
    assert not np.shares_memory(second[0][0][0], second[1][0][0])


def test_fit_sees_every_picture_once_per_epoch_in_the_order_of_the_seed(
    examples: LabelledImages,
) -> None:
    data = batches(examples, seed=3)
    model = Recorder()
    model.compile(run_eagerly=True)
    model.fit(data, epochs=4, verbose=0, shuffle=False, callbacks=[NewEpoch(), SetEpoch(data)])
    assert len(model.seen) == 4
    for epoch, seen in enumerate(model.seen):
        assert sorted(seen) == list(range(37))
        assert seen == data.order(epoch).tolist()
    assert model.seen[0] != model.seen[1]


def test_batches_without_randomness_keep_order_and_pictures(examples: LabelledImages) -> None:
    data = batches(examples)
    pictures = np.concatenate([data[index][0] for index in range(len(data))])
    assert len(data) == 8
    np.testing.assert_array_equal(pictures[:, 4, 4, 1], 3 * np.arange(37))


def test_training_and_drawing_preprocess_pictures_alike(examples: LabelledImages) -> None:
    for name in ("unit_range", "caffe", "minus_one_to_one"):
        trained = batches(examples, preprocessing=by_name(name))[1][0]
        drawn = encode_photographs(
            [np.full((20, 30, 3), 3 * index, np.uint8) for index in range(5, 10)], (8, 8), by_name(name)
        )
        np.testing.assert_allclose(trained, drawn, rtol=1e-6)
        np.testing.assert_allclose(by_name(name).decode(trained)[:, 0, 0, 0], 3 * np.arange(5, 10), atol=1e-3)


def test_augmentation_differs_between_epochs_and_is_reproducible(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(4):
        save_png(tmp_path / f"{index}.png", rng.integers(0, 255, (16, 16, 3)).astype(np.uint8))
    examples = LabelledImages(sorted(tmp_path.iterdir()), np.zeros(4, int), ["a", "b"])
    augment = fast_augmentation(Ranges(rotation_range=30))

    def epoch(number: int) -> np.ndarray:
        data = batches(examples, size=(16, 16), augment=augment, seed=0)
        data.epoch = number
        return data[0][0]

    np.testing.assert_array_equal(epoch(1), epoch(1))
    assert not np.array_equal(np.sort(epoch(1), axis=0), np.sort(epoch(2), axis=0))


def test_mixup_mixes_pictures_and_labels_in_the_same_proportion(examples: LabelledImages) -> None:
    """Picture i has the value 3 i and a class of its own, so the label says what the picture must be."""
    own_classes = replace(examples, labels=np.arange(37), classes=[str(index) for index in range(37)])
    mixed = batches(own_classes, seed=1, mixup=0.4)
    pictures, shares = mixed[0]
    expected = shares @ (3.0 * np.arange(37))
    np.testing.assert_allclose(
        pictures, np.broadcast_to(expected[:, None, None, None], pictures.shape), atol=1e-3
    )
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    parts = (shares > 0).sum(axis=1)
    assert parts.max() == 2
    own = shares[np.arange(5), batches(own_classes, seed=1).order(0)[:5]]
    assert (own > 0).all()
    assert ((own > 0.01) & (own < 0.99)).any()
    np.testing.assert_array_equal(mixed[0][0], pictures)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_result_does_not_depend_on_the_number_of_threads(examples: LabelledImages, threads: int) -> None:
    augment = fast_augmentation(Ranges(rotation_range=90, channel_shift_range=60))
    one = batches(examples, augment=augment, seed=3, threads=1)
    many = batches(examples, augment=augment, seed=3, threads=threads)
    one.epoch = many.epoch = 5
    for index in range(len(one)):
        for ours, theirs in zip(one[index], many[index], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_batches_do_not_share_memory(examples: LabelledImages) -> None:
    data = batches(examples)
    first, again = data[0][0], data[0][0]
    assert first.base is None
    assert not np.shares_memory(first, again)


@pytest.mark.parametrize("name", ["unit_range", "minus_one_to_one", "caffe", "torch"])
def test_the_lookup_table_agrees_with_encode(name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    preprocessing = by_name(name)
    out = np.full((9, 7, 3), np.nan, np.float32)
    _encode(pixels, preprocessing, out)
    np.testing.assert_array_equal(out, preprocessing.encode(pixels))


def test_load_plain_agrees_with_load_and_refuses_damaged_files(shared: Path, tmp_path: Path) -> None:
    for path in sorted((shared / "data" / "flowers").glob("*/*"))[::200]:
        difference = np.abs(decode.load_plain(path).astype(int) - decode.load(path))
        assert difference.max() <= 3
        assert (difference <= 1).mean() > 0.999
    (tmp_path / "half.jpg").write_bytes(path.read_bytes()[:100])
    with pytest.raises(decode.DecodeError, match=r"half\.jpg"):
        decode.load_plain(tmp_path / "half.jpg")


def test_a_batch_does_not_encode_the_labels_of_the_whole_data_set(examples: LabelledImages) -> None:
    count, classes = 20_000, 500
    many = LabelledImages(
        examples.paths[:1] * count, np.arange(count) % classes, [str(name) for name in range(classes)]
    )
    data = batches(many, batch_size=4)
    expected = data[1000][1]
    tracemalloc.start()
    labels = data[1000][1]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert labels.argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert labels.sum() == 4
    np.testing.assert_array_equal(labels, expected)
    assert peak < 4 * count * classes / 10  # bytes of a tenth of the matrix


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    shares=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
)
def test_a_share_is_stratified_and_part_of_larger_shares(
    counts: list[int], shares: tuple[float, float]
) -> None:
    paths = [Path(f"/x/train/{label}/{n}.png") for label, count in enumerate(counts) for n in range(count)]
    labels = np.repeat(np.arange(len(counts)), counts)
    images = LabelledImages(paths, labels, [str(label) for label in range(len(counts))])
    small, large = (images.fraction(share) for share in sorted(shares))
    assert set(small.paths) <= set(large.paths)
    assert [path for path in paths if path in set(small.paths)] == small.paths
    for label, count in enumerate(counts):
        own = (small.labels == label).sum()
        assert own == max(1, round(min(shares) * count))
    assert all(path.parent.name == str(label) for path, label in zip(small.paths, small.labels, strict=True))
    elsewhere = LabelledImages([Path("/y", *path.parts[2:]) for path in paths], labels, images.classes)
    assert [path.name for path in elsewhere.fraction(min(shares)).paths] == [p.name for p in small.paths]


def test_the_whole_split_is_a_share() -> None:
    images = LabelledImages([Path("a/1.png")], np.array([0]), ["a"])
    assert images.fraction(1) is images
