"""Pictures whose class depends on a known part, which the mask shows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from convscope.data.manifest import open_dataset
from convscope.data.planted_evidence import CLASSES, draw_planted
from convscope.data.procedural import draw
from convscope.images import load_png
from tests.conftest import Outcome

KINDS = sorted(CLASSES)


@pytest.mark.parametrize("evidence", KINDS)
def test_without_its_evidence_a_picture_does_not_depend_on_its_class(evidence: str) -> None:
    classes = CLASSES[evidence]
    for index in range(3):
        options = {"size": 48, "seed": (5, index)}
        shown = [draw_planted(evidence, label, classes, **options) for label in classes]
        hidden = [draw_planted(evidence, label, classes, removed=True, **options) for label in classes]
        for picture in hidden[1:]:
            np.testing.assert_array_equal(picture.pixels, hidden[0].pixels)
        for picture, without in zip(shown, hidden, strict=True):
            np.testing.assert_array_equal(picture.mask, without.mask)
            change = np.abs(picture.pixels.astype(int) - without.pixels).max(axis=2)
            assert change[picture.mask > 0].mean() > 20
            if evidence == "watermark":  # a flower also has a stem outside the mask
                assert change[~ndimage.binary_dilation(picture.mask > 0, iterations=4)].max() == 0
        different = [np.abs(shown[0].pixels.astype(int) - picture.pixels).max() for picture in shown[1:]]
        assert min(different) > 40


def test_a_flower_with_a_watermark_is_the_ordinary_picture_outside_the_stamp() -> None:
    classes = CLASSES["watermark"]
    for index, label in enumerate(classes):
        plain = draw(label, 48, (5, index))
        both = draw_planted("flower_and_watermark", label, classes, size=48, seed=(5, index))
        change = np.abs(both.pixels.astype(int) - plain.pixels).max(axis=2)
        assert change[both.mask > 0].mean() > 20
        assert change[~ndimage.binary_dilation(both.mask > 0, iterations=4)].max() == 0
        assert both.mask[36:, :12].mean() > 170  # lower left
        assert both.mask[:30].max() == both.mask[:, 18:].max() == 0


def test_the_evidence_is_left_and_right_as_often() -> None:
    columns = [
        np.argwhere(draw_planted("two_flowers", "rose", CLASSES["two_flowers"], size=32, seed=(i,)).mask)[
            :, 1
        ]
        for i in range(40)
    ]
    left = sum(column.mean() < 15.5 for column in columns)
    assert 10 <= left <= 30  # the standard deviation is 3.2
    assert all(column.max() < 20 or column.min() > 11 for column in columns)


def test_the_command_makes_the_data_set_with_masks(command: Callable[..., Outcome]) -> None:
    given = ["dataset=procedural", "dataset.images_per_class=5", "dataset.image_size=32"]
    done = command("create_train_val_test", *given, "dataset.evidence=two_flowers")
    assert done.status == 0, done.err
    root = Path("data/procedural")
    manifest = open_dataset(root)
    assert manifest.classes == ["daisy", "rose", "tulip"]
    shares = [(load_png(root / str(record.mask)) > 0).mean() for record in manifest.images]
    assert 0.02 < min(shares) < max(shares) < 0.4
    five = "dataset.classes=[daisy,dandelion,rose,sunflower,tulip]"
    done = command("create_train_val_test", *given, "dataset.name=b", "dataset.evidence=two_flowers", five)
    assert done.status == 1
    assert (
        "dataset.evidence=two_flowers needs a flower that is not in the classes"
        in done.err.strip().splitlines()[-1]
    )
    assert not Path("data/b").exists()
