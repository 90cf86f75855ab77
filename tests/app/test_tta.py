"""Test-time augmentation by the real commands."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convscope.app.train.augmented_scores import slowdown
from convscope.data.manifest import open_dataset
from convscope.data.pipeline import Batches, labelled_images
from convscope.models.calibration import Calibration
from convscope.models.opening import open_checkpoint
from convscope.training.evaluate import evaluate_variants
from convscope.training.test_time import VariantModel
from convscope.training.variants import Variants
from tests.app.test_finetune import DATA, TWO
from tests.conftest import Outcome

Command = Callable[..., Outcome]


def rows(path: str) -> dict[str, dict[str, str]]:
    with Path(path).open(newline="") as file:
        return {Path(row["path"]).name: row for row in csv.DictReader(file)}


@pytest.fixture
def donor(tmp_path: Path, trained_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of two classes in `data/two`, and a model that was trained on it in `donor`."""
    monkeypatch.chdir(tmp_path)
    for name in ("data", "donor"):
        shutil.copytree(trained_folder / name, tmp_path / name)


@pytest.mark.usefixtures("donor")
def test_scores_tables_and_predictions_have_the_averages(command: Command) -> None:
    trained = command("train", *DATA, *TWO, "training.epochs=0", "tta=[flip,1.5]", "hydra.run.dir=run")
    assert trained.status == 0, trained.err
    assert "tta=[flip,1.5], 4 predictions for each photograph" in trained.out

    bundle = open_checkpoint(Path("run"))
    contract = bundle.contract
    averaged = VariantModel(bundle.model, contract.input_size, Variants.parse(["flip", "1.5"], "tta"))
    scores = {}
    for split in ("validation", "test"):
        images = labelled_images(Path("data/two"), open_dataset(Path("data/two")), split)
        data = Batches(images, size=contract.input_size, preprocessing=contract.preprocessing, batch_size=32)
        scores[split] = evaluate_variants(averaged, [data.resized(size) for size in averaged.sizes])
    metrics = json.loads(Path("run/metrics.json").read_text())
    for split, expected in scores.items():
        stored = metrics[split]["augmented"]
        assert stored["loss"] == pytest.approx(expected.loss, rel=1e-5)
        assert stored["loss"] != metrics[split]["loss"]
        assert stored["accuracy"] == expected.accuracy
    fitted = Calibration.fit(scores["validation"].probabilities, scores["validation"].labels)
    known = contract.calibration_of(["flip", "1.5"])
    assert known is not None
    assert known.temperature == pytest.approx(fitted.temperature, rel=1e-3)
    assert contract.calibration_of(["flip"]) is None
    assert "Test-time augmentation, test split" in Path("run/report.html").read_text("utf-8")

    table = rows("run/predictions.csv")
    arguments = ["predict=run", "images=data/two/test", "tta=[flip,1.5]"]
    predicted = command("train", *arguments, "hydra.run.dir=p")
    assert predicted.status == 0, predicted.err
    for name, row in rows("p/predictions.csv").items():
        assert float(row["dark"]) == pytest.approx(float(table[name]["dark (augmented)"]), abs=2e-6)
        after = known.apply(np.array([[float(row["dark"]), float(row["light"])]]))[0, 0]
        assert float(row["dark (calibrated)"]) == pytest.approx(after, abs=1e-4)


@pytest.mark.usefixtures("donor")
def test_the_time_is_that_of_full_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller last batch builds another graph, which takes longer than many predictions."""
    bundle = open_checkpoint(Path("donor"))
    contract = bundle.contract
    images = labelled_images(Path("data/two"), open_dataset(Path("data/two")), "train")
    assert len(images.paths) % 9
    data = Batches(images, size=contract.input_size, preprocessing=contract.preprocessing, batch_size=9)
    averaged = VariantModel(bundle.model, contract.input_size, Variants.parse(["flip"], "tta"))
    lengths = set()
    original = Batches.__getitem__

    def recorded(batches: Batches, index: int) -> tuple[np.ndarray, np.ndarray]:
        pictures, labels = original(batches, index)
        lengths.add(len(pictures))
        return pictures, labels

    monkeypatch.setattr(Batches, "__getitem__", recorded)
    assert slowdown(bundle.model, averaged, data) > 0
    assert lengths == {9}


@pytest.mark.usefixtures("donor")
def test_other_variants_are_calibrated_on_the_data_set_of_the_run(command: Command) -> None:
    arguments = ["predict=donor", "images=data/two/test", "tta=[flip]"]
    predicted = command("train", *arguments, "hydra.run.dir=p")
    assert predicted.status == 0, predicted.err
    assert "calibrating tta=[flip] on the validation split" in predicted.out
    assert "dark (calibrated)" in next(iter(rows("p/predictions.csv").values()))

    content = json.loads(Path("donor/model.json").read_text())
    for key, value in (("manifest_sha256", "0" * 64), ("path", "gone")):  # it has changed, or is missing
        content["dataset"][key] = value
        Path("donor/model.json").write_text(json.dumps(content))
        without = command("train", *arguments, f"hydra.run.dir={key}")
        assert "has no calibration for tta=[flip]" in without.out, without.err
        assert "calibrating" not in without.out


@pytest.mark.usefixtures("donor")
def test_an_evaluation_is_not_calibrated_on_the_labels_that_it_evaluates(
    command: Command, class_folders: Path
) -> None:
    source = ["dataset=folder", "dataset.name=other", f"dataset.source={class_folders}", "split.seed=5"]
    assert command("create_train_val_test", *source, "split.validation=0.5").status == 0
    temperatures = set()
    for name in ("two", "other"):
        data = ["dataset=folder", f"dataset.name={name}", "tta=[flip]", f"hydra.run.dir={name}"]
        assert command("train", "evaluate=donor", *data).status == 0
        scores = json.loads(Path(f"{name}/metrics.json").read_text())["validation"]["augmented"]
        temperatures.add(scores["calibrated"]["temperature"])
    assert len(temperatures) == 1  # that of the data set that the model was trained on
    assert "evaluated on other" in Path("other/report.html").read_text("utf-8")
    assert not Path("other/MODEL_CARD.md").exists()


@pytest.mark.usefixtures("donor")
def test_a_run_without_calibration_is_evaluated_with_and_without_variants(command: Command) -> None:
    path = Path("donor/model.json")
    content = json.loads(path.read_text())
    del content["calibration"]
    path.write_text(json.dumps(content))
    for number, extra in enumerate([[], ["tta=[flip]", "splits=[test]"], ["tta=[flip]"]]):
        outcome = command("train", "evaluate=donor", *DATA, *extra, f"hydra.run.dir=e{number}")
        assert outcome.status == 0, outcome.err
    for number in (1, 2):
        scores = json.loads(Path(f"e{number}/metrics.json").read_text())["test"]
        assert "calibrated" not in scores["augmented"]
        assert scores["augmented"]["time_factor"] > 0
    refused = command("train", "evaluate=donor", *DATA, "tta=[1.5]", "hydra.run.dir=e9")
    assert refused.err.startswith("error: tta=[1.5]: the network takes 32×32 pixels and not 48×48")
    assert len(refused.err.splitlines()) == 1
    assert not Path("e9/metrics.json").exists()
