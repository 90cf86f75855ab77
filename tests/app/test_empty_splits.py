"""Data sets without validation or test images, and classes without train images."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.app.train.announce import check_splits
from convscope.data.manifest import ImageRecord, Manifest
from convscope.errors import ConvscopeError
from tests.conftest import Outcome

Command = Callable[..., Outcome]
DATA = ["dataset=folder", "dataset.name=two"]
NET = ["augmentation=none", "model.input_size=32", "model.widths=[4]", "model.units=4", "training.epochs=1"]


def manifest(*images: str) -> Manifest:
    """Return a manifest with the images SPLIT/CLASS."""
    records = [ImageRecord(f"{image}/1.png", *image.split("/")) for image in images]
    return Manifest("two", sorted({record.label for record in records}), {}, records)


def test_a_training_without_validation_images_is_refused() -> None:
    with pytest.raises(
        ConvscopeError, match=r"at d has no validation images.*split.validation=0.15 overwrite=true"
    ):
        check_splits(Path("d"), manifest("train/a", "train/b", "test/a"))
    with pytest.raises(ConvscopeError, match="at d has no train images"):
        check_splits(Path("d"), manifest("validation/a", "test/b"))


def test_a_class_without_train_or_validation_images_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    check_splits(Path("d"), manifest("train/a", "train/b", "validation/a", "validation/b", "test/a"))
    assert capsys.readouterr().out == ""
    check_splits(Path("d"), manifest("train/a", "train/b", "validation/a", "test/c"))
    assert capsys.readouterr().out.splitlines() == [
        "note: d has no train images of c: the model cannot learn such a class",
        "note: d has no validation images of b, c: the best epoch and the calibration are chosen without "
        "such a class",
    ]


def test_a_data_set_without_test_images_is_trained_and_evaluated(
    command: Command, class_folders: Path
) -> None:
    made = command("create_train_val_test", *DATA, f"dataset.source={class_folders}", "split.test=0")
    assert (made.status, made.err.count("error")) == (0, 0)
    trained = command("train", *DATA, *NET, "hydra.run.dir=run")
    assert trained.status == 0, trained.err
    note = "note: the data set at data/two has no test images; only validation is evaluated"
    assert note in trained.out
    assert list(json.loads(Path("run/metrics.json").read_text())) == ["validation"]
    report = Path("run/report.html").read_text("utf-8")
    assert "This is the split that the temperature and the sets were fitted on" in report
    assert "classes; fitted on these images, so too optimistic\n" in trained.out
    assert "Both were fitted on these images" in Path("run/MODEL_CARD.md").read_text("utf-8")
    evaluated = command("train", *DATA, "evaluate=run", "hydra.run.dir=scores")
    assert evaluated.status == 0, evaluated.err
    assert note in evaluated.out
    assert "fitted on these images" not in evaluated.out
    report = Path("scores/report.html").read_text("utf-8")
    assert "If the temperature and the sets were fitted on this split" in report
    refused = command("train", *DATA, "evaluate=run", "splits=[test]", "hydra.run.dir=other")
    error = "error: the data set at data/two has no test images: set splits=[train,validation]"
    assert (refused.status, refused.err.splitlines()[-1]) == (1, error)
    assert not Path("other").exists()
