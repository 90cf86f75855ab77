"""Fine-tuning in two phases, evaluation and prediction with a trained model, by the real commands."""

import csv
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.app.train.familiarity import with_features
from convscope.data.manifest import open_dataset
from convscope.data.pipeline import Batches, labelled_images
from convscope.images import save_png
from convscope.models.opening import open_checkpoint
from tests.app.test_train import interrupt
from tests.conftest import Outcome

Command = Callable[..., Outcome]
DATA = ["dataset=folder", "dataset.name=two", "augmentation=none"]
TWO = [
    "model=pretrained_file",
    "model.file=donor/model.keras",
    "finetune=two_phase",
    "finetune.head_epochs=6",
]


@pytest.fixture
def donor(tmp_path: Path, trained_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of two classes in `data/two`, and a model that was trained on it in `donor`."""
    monkeypatch.chdir(tmp_path)
    for name in ("data", "donor"):
        shutil.copytree(trained_folder / name, tmp_path / name)


def kernel(run: str, layer: str) -> np.ndarray:
    return keras.saving.load_model(f"{run}/model.keras").get_layer(layer).get_weights()[0]


def losses(path: str) -> list[float]:
    with Path(path).open(newline="") as file:
        return [float(row["val_loss"]) for row in csv.DictReader(file)]


@pytest.mark.usefixtures("donor")
def test_a_network_of_one_size_gets_another_size_and_trains_at_several(command: Command) -> None:
    donor = keras.saving.load_model("donor/model.keras")
    assert donor.input_shape == (None, 32, 32, 3)
    sizes = ["model.input_size=40", "training.input_sizes=[24,48]", "training.epochs=2"]
    whole = command("train", *DATA, *TWO, *sizes, "finetune.head_epochs=0", "hydra.run.dir=sizes")
    assert whole.status == 0, whole.err
    assert json.loads(Path("sizes/model.json").read_text())["input_size"] == [40, 40]
    trained = keras.saving.load_model("sizes/model.keras")
    assert trained.input_shape == (None, 40, 40, 3)
    assert not np.array_equal(kernel("sizes", "conv2d_1"), kernel("donor", "conv2d_1"))

    small = ["model.input_size=32", "model.widths=[4]", "training.input_sizes=[24]"]
    fixed = command("train", *DATA, *small, "hydra.run.dir=fixed")
    assert fixed.status == 1
    assert fixed.err.startswith(
        "error: training.input_sizes=[24]: the network takes 32×32 pixels and not 24×24"
    )
    assert len(fixed.err.splitlines()) == 1


@pytest.mark.usefixtures("donor")
def test_the_first_phase_trains_the_head_and_the_second_starts_from_its_best_epoch(command: Command) -> None:
    first = command("train", *DATA, *TWO, "training.epochs=0", "hydra.run.dir=first")
    assert first.status == 0, first.err
    best = losses("first/history.csv").index(min(losses("first/history.csv")))
    assert json.loads(Path("first/model.json").read_text())["training"]["kept"] == f"epoch {1 + best}"
    np.testing.assert_array_equal(kernel("first", "conv2d_1"), kernel("donor", "conv2d_1"))
    (features,) = Path("data/.features").glob("*.npy")
    written = features.stat().st_mtime_ns
    metrics = json.loads(Path("first/metrics.json").read_text())
    assert metrics["validation"]["loss"] == pytest.approx(min(losses("first/history.csv")), rel=1e-4)

    both = command("train", *DATA, *TWO, "training.epochs=2", "hydra.run.dir=both")
    assert both.status == 0, both.err
    assert [path.stat().st_mtime_ns for path in Path("data/.features").glob("*.npy")] == [written]
    assert losses("both/head/history.csv") == losses("first/history.csv")
    assert not np.array_equal(kernel("both", "conv2d_1"), kernel("donor", "conv2d_1"))
    lowest = min(losses("both/head/history.csv") + losses("both/history.csv"))
    scored = json.loads(Path("both/metrics.json").read_text())["validation"]["loss"]
    assert scored == pytest.approx(lowest, rel=1e-4)
    second = losses("both/history.csv")
    kept = f"epoch {1 + second.index(lowest)}" if lowest in second else "first phase"
    assert json.loads(Path("both/model.json").read_text())["training"]["kept"] == kept
    assert "first phase" in Path("both/report.html").read_text("utf-8")


@pytest.mark.usefixtures("donor")
def test_a_second_phase_without_improvement_keeps_the_model_of_the_first(command: Command) -> None:
    harm = ["training.epochs=2", "training.learning_rate=0.5", "training.optimizer=SGD"]
    outcome = command("train", *DATA, *TWO, *harm, "finetune.head_learning_rate=0.001", "hydra.run.dir=run")
    assert outcome.status == 0, outcome.err
    if min(losses("run/history.csv")) > min(losses("run/head/history.csv")):
        np.testing.assert_array_equal(kernel("run", "conv2d_1"), kernel("donor", "conv2d_1"))
    metrics = json.loads(Path("run/metrics.json").read_text())
    lowest = min(losses("run/head/history.csv") + losses("run/history.csv"))
    assert metrics["validation"]["loss"] == pytest.approx(lowest, rel=1e-4)


@pytest.mark.usefixtures("donor")
def test_a_killed_second_phase_is_resumed_to_the_same_weights(command: Command, tmp_path: Path) -> None:
    settings = [*DATA, *TWO, "training.epochs=6", "training.deterministic=true"]
    whole = command("train", *settings, "hydra.run.dir=whole")
    assert whole.status == 0, whole.err
    interrupt(tmp_path, signal.SIGKILL, *settings)
    resumed = command("train", *settings, "hydra.run.dir=run")
    assert resumed.status == 0, resumed.err
    assert "resuming after epoch" in resumed.out
    for layer in ("conv2d_1", "predictions"):
        np.testing.assert_array_equal(kernel("run", layer), kernel("whole", layer))
    assert Path("run/metrics.json").read_text() == Path("whole/metrics.json").read_text()


@pytest.mark.usefixtures("donor")
def test_a_wrong_label_is_listed(command: Command, class_folders: Path) -> None:
    pixels = np.random.default_rng(7).integers(0, 90, (24, 32, 3)).astype(np.uint8)
    save_png(class_folders / "light/wrong.png", pixels)
    made = command(
        "create_train_val_test", "dataset=folder", "dataset.name=two", f"dataset.source={class_folders}",
        "overwrite=true",
    )  # fmt: skip
    assert made.status == 0, made.err
    outcome = command("train", *DATA, *TWO, "training.epochs=0", "hydra.run.dir=run")
    assert outcome.status == 0, outcome.err
    with Path("run/label_errors.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert Path(rows[0]["path"]).name == "wrong.png"
    assert (rows[0]["label"], rows[0]["suggested"]) == ("light", "dark")
    assert "light, or dark?" in Path("run/report.html").read_text("utf-8")


@pytest.mark.usefixtures("donor")
def test_a_model_is_evaluated_on_other_splits_and_other_data_sets(
    command: Command, class_folders: Path
) -> None:
    outcome = command("train", "evaluate=donor", *DATA, "splits=[train,test]", "hydra.run.dir=scores")
    assert outcome.status == 0, outcome.err
    ours = json.loads(Path("scores/metrics.json").read_text())
    donors = json.loads(Path("donor/metrics.json").read_text())
    assert list(ours) == ["train", "test"]
    assert ours["test"] == donors["test"]
    again = command("train", "evaluate=donor", *DATA, "hydra.run.dir=scores")
    assert "exists already: set overwrite=true" in again.err
    (class_folders / "dark").rename(class_folders / "night")
    source = ["dataset=folder", "dataset.name=other", f"dataset.source={class_folders}"]
    assert command("create_train_val_test", *source).status == 0
    unknown = command("train", "evaluate=donor", "dataset=folder", "dataset.name=other")
    assert unknown.status == 1
    assert "classes that the model does not have (night): expected some of dark, light" in unknown.err


@pytest.mark.usefixtures("donor")
def test_predictions_of_photographs_equal_those_of_the_test_split(command: Command) -> None:
    Path("data/two/test/dark/broken.jpg").write_bytes(b"no picture")
    outcome = command("train", "predict=donor", "images=data/two/test", "hydra.run.dir=predicted")
    assert outcome.status == 0, outcome.err
    assert "1 could not be read" in outcome.out
    with Path("predicted/predictions.csv").open(newline="") as file:
        ours = {Path(row["path"]).name: row for row in csv.DictReader(file)}
    assert "broken.jpg" in ours["broken.jpg"]["error"]
    assert ours["broken.jpg"]["predicted"] == ""
    with Path("donor/predictions.csv").open(newline="") as file:
        theirs = {Path(row["path"]).name: row for row in csv.DictReader(file) if row["split"] == "test"}
    assert set(ours) == {*theirs, "broken.jpg"}
    for name, row in theirs.items():
        assert ours[name]["predicted"] == row["predicted"]
        for column in ("dark", "dark (calibrated)"):
            assert float(ours[name][column]) == pytest.approx(float(row[column]), abs=2e-6)
    threshold = np.load("donor/familiarity.npz")["threshold"]
    read = [row for row in ours.values() if not row["error"]]
    assert [row["unlike"] == "yes" for row in read] == [float(row["distance"]) > threshold for row in read]
    sets = {tuple(row["set"].split("; ")) for row in ours.values() if row["set"]}
    assert sets <= {("dark",), ("light",), ("dark", "light")}
    again = command("train", "predict=donor", "images=data/two/test", "hydra.run.dir=all", "coverage=0.999")
    assert again.status == 0, again.err
    with Path("all/predictions.csv").open(newline="") as file:  # few validation images: no class is excluded
        assert {row["set"] for row in csv.DictReader(file) if not row["error"]} == {"dark; light"}


@pytest.mark.usefixtures("donor")
def test_the_features_of_a_head_are_those_of_the_whole_model(command: Command) -> None:
    assert command("train", *DATA, *TWO, "training.epochs=0", "hydra.run.dir=run").status == 0
    stored = np.load("run/familiarity.npz")["features"].astype(np.float32)
    bundle = open_checkpoint(Path("run"))
    examples = labelled_images(Path("data/two"), open_dataset(Path("data/two")), "train")
    contract = bundle.contract
    data = Batches(examples, size=contract.input_size, preprocessing=contract.preprocessing, batch_size=64)
    features = with_features(bundle.model).predict_on_batch(data[0][0])[0]
    expected = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(stored, expected, atol=2e-3)  # stored as float16
