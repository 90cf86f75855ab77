import numpy as np
import pytest

from convscope.data.augment import Ranges, fast_augmentation
from convscope.data.augment_keras import keras_augmentation
from convscope.data.deleted_cell import with_deleted_cells
from convscope.images import cells
from convscope.preprocessing import by_name
from convscope.vis.class_activation.targets import of_class
from convscope.vis.faithfulness.deletion import cell_drops

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 50, 3)).astype(np.uint8)


def deleted(changed: np.ndarray, original: np.ndarray) -> list[int]:
    """Return the indices of the cells that have the mean colour; the others must not have changed."""
    mean = original.mean(axis=(0, 1))
    found = []
    for index, window in enumerate(cells(37, 50, across=4)):
        if np.array_equal(changed[window], original[window]):
            continue
        np.testing.assert_allclose(changed[window], np.broadcast_to(mean, changed[window].shape), atol=0.5)
        found.append(index)
    return found


def test_half_of_the_pictures_lose_one_cell_and_each_cell_is_lost_as_often() -> None:
    before, augment = PIXELS.copy(), with_deleted_cells(None, 0.5)
    assert augment
    counts = np.zeros(16)
    for seed in range(800):
        found = deleted(augment(PIXELS, seed), PIXELS)
        assert len(found) <= 1
        counts[found] += 1
    np.testing.assert_array_equal(PIXELS, before)
    assert 400 - 3 * 14.2 < counts.sum() < 400 + 3 * 14.2  # the standard deviation is 14.1
    assert 8 < counts.min() <= counts.max() < 45  # 25 on average


@pytest.mark.parametrize("engine", [fast_augmentation, keras_augmentation])
def test_the_cell_is_deleted_after_the_other_changes_and_the_seed_decides(engine) -> None:
    base = engine(Ranges(rotation_range=30, horizontal_flip=True))
    augment = with_deleted_cells(base, 1.0)
    for seed in range(5):
        changed = augment(PIXELS, seed)
        np.testing.assert_array_equal(changed, augment(PIXELS, seed))
        assert len(deleted(changed, base(PIXELS, seed))) == 1
    assert with_deleted_cells(base, 0.0) is base
    assert with_deleted_cells(None, 0.0) is None


def test_training_and_measurement_see_the_same_pictures() -> None:
    """A linear classifier falls by the same amount for a cell that training and the measurement delete."""
    encode = by_name("minus_one_to_one").encode
    weights = np.random.default_rng(1).normal(0, 1, (37, 50, 3))

    def logits(pictures: np.ndarray) -> np.ndarray:
        return (pictures * weights).sum(axis=(1, 2, 3))[:, None]

    drops = cell_drops(logits, encode(PIXELS[None])[0], of_class(1, 1)).ravel()
    augment = with_deleted_cells(None, 1.0)
    assert augment
    for seed in range(8):
        changed = augment(PIXELS, seed)
        (cell,) = deleted(changed, PIXELS)
        before, after = logits(encode(np.stack([PIXELS, changed])))[:, 0]
        assert before - after == pytest.approx(drops[cell], abs=0.4)  # the mean is rounded to a grey level
