import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorflow.python.framework.config import is_op_determinism_enabled

from convscope.app.train.train import class_weights
from convscope.data.manifest import open_dataset
from convscope.data.pipeline import Batches, labelled_images
from convscope.images import resize
from convscope.models.opening import open_checkpoint
from convscope.models.snapshots import find_snapshots
from convscope.training.evaluate import Evaluation, evaluate
from convscope.training.precision import in_precision
from tests.conftest import ROOT, Outcome

Command = Callable[..., Outcome]
TINY = ["model.input_size=32", "training.epochs=1", "augmentation=none", "dataset=folder", "dataset.name=two"]
NET = ["model.widths=[4]", "model.units=4"]


@pytest.fixture
def two(tmp_path: Path, trained_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of two classes in `data/two`, and a run that was trained on it in `donor`."""
    monkeypatch.chdir(tmp_path)
    for name in ("data", "donor"):
        shutil.copytree(trained_folder / name, tmp_path / name)


def trained(command: Command, *arguments: str, run: str = "run") -> keras.Model:
    outcome = command("train", *TINY, *arguments, f"hydra.run.dir={run}")
    assert outcome.status == 0, outcome.err
    return keras.saving.load_model(f"{run}/model.keras")


def test_class_weights_by_hand() -> None:
    # 4 images of 2 classes, 2 in the mean: 3 images weigh 2/3 each, and one weighs 2
    assert class_weights(np.array([0, 0, 0, 2])) == pytest.approx({0: 2 / 3, 2: 2.0})


@pytest.mark.usefixtures("two")
def test_a_sigmoid_output_learns_and_can_be_visualized(command: Command) -> None:
    model = trained(
        command, *NET, "model.output=sigmoid", "training.epochs=40", "training.learning_rate=0.01"
    )
    assert model.output_shape == (None, 1)
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert metrics["test"]["accuracy"] == 1  # the probability of the second class separates dark and light
    assert metrics["test"]["loss"] < 0.5
    assert command("visualize", "checkpoint=run", "filters.count=1", "filters.steps=1").status == 0


@pytest.mark.usefixtures("two")
def test_an_application_of_keras_has_its_own_size_and_preprocessing(command: Command) -> None:
    arguments = ["model=keras_application", "model.application=MobileNet", "model.weights=null"]
    trained(command, *arguments, "model.trainable=head")
    contract = json.loads(Path("run/model.json").read_text())
    assert contract["preprocessing"]["name"] == "minus_one_to_one"  # small_convnet has unit_range
    assert contract["model"] == "mobile_net"


@pytest.mark.usefixtures("two")
def test_frozen_layers_of_a_pretrained_trunk_do_not_change(command: Command) -> None:
    donor = keras.saving.load_model("donor/model.keras")
    model = trained(command, "model=pretrained_file", "model.file=donor/model.keras", "model.trainable=head")
    assert json.loads(Path("run/model.json").read_text())["preprocessing"]["name"] == "unit_range"
    for ours, theirs in zip(
        model.get_layer("conv2d_1").get_weights(), donor.get_layer("conv2d_1").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("engine", ["fast", "keras"])
def test_both_augmentation_engines_train(command: Command, engine: str) -> None:
    """The weights differ from the initial ones, and from those of `donor`, which has no augmentation."""
    given = ["augmentation=flowers", f"augmentation.engine={engine}", "augmentation.fill_mode=wrap"]
    model = trained(command, *NET, *given, "callbacks=[snapshots]")
    kernel = model.get_weights()[0]
    initial, _ = find_snapshots(Path("run"))
    assert not np.array_equal(kernel, initial.weights(model)[0])
    assert not np.array_equal(kernel, weights("donor")[0])


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("kind", ["featurewise_center", "samplewise_std_normalization"])
def test_normalization_is_stored_in_the_contract_and_used_by_stage_3(command: Command, kind: str) -> None:
    given = ["augmentation.engine=keras", f"augmentation.{kind}=true"]
    outcome = command("train", *TINY, *NET, *given, "hydra.run.dir=run")
    assert outcome.status == 0, outcome.err
    contract = json.loads(Path("run/model.json").read_text())["preprocessing"]
    if kind == "featurewise_center":
        train = [np.asarray(Image.open(path)) for path in Path("data/two/train").glob("*/*.png")]
        resized = np.stack([resize(picture, 32, 32) for picture in train]) / 255
        np.testing.assert_allclose(-np.array(contract["offset"]), resized.mean(axis=(0, 1, 2)), atol=1e-4)
    else:
        assert contract["samplewise_std"] is True
    assert command("visualize", "checkpoint=run", "filters.count=1", "filters.steps=1").status == 0


@pytest.mark.usefixtures("two")
def test_tensorboard_events_equal_the_history(command: Command) -> None:
    trained(command, *NET, "logger=tensorboard", "training.epochs=3")
    with Path("run/history.csv").open(newline="") as file:
        expected = [float(row["val_loss"]) for row in csv.DictReader(file)]
    events = EventAccumulator("run/tensorboard/validation")
    events.Reload()
    logged = [tf.make_ndarray(event.tensor_proto).item() for event in events.Tensors("epoch_loss")]
    assert logged == pytest.approx(expected, rel=1e-6)


@pytest.mark.usefixtures("two")
def test_layers_are_listed_and_memory_is_checked_before_the_first_epoch(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convscope.training.memory.available", lambda: 700 * 2**20)
    arguments = [*TINY, *NET, "training.epochs=1", "hydra.run.dir=run"]
    wide = command("train", *arguments, "model.input_size=200", "model.widths=[32]", "training.batch_size=64")
    assert "training.batch_size=64 may take" in wide.out
    fitting = int(wide.out.split("try training.batch_size=")[1].split()[0])
    assert 1 <= fitting <= 8
    table = Path("run/layers.txt").read_text()
    assert table in wide.out
    assert table.splitlines()[2].split() == ["conv2d_1", "Conv2D", "198×198×32", "896", "67.7"]
    narrow = command("train", *arguments, "overwrite=true")
    assert "may take" not in narrow.out


LONG = [
    "training.epochs=6", "training.deterministic=true", "augmentation=flowers", "training.patience=9",
    "callbacks=[snapshots]",
]  # fmt: skip


def interrupt(folder: Path, number: signal.Signals, *arguments: str) -> None:
    """Train into `run` in a process of its own, and send it a signal after its second epoch."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *arguments, "hydra.run.dir=run"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("epoch   2/6") and (folder / "run/state.npz").exists():  # not in a first phase
            process.send_signal(number)
            break
    process.communicate()
    assert (folder / "run/state.npz").is_file()
    assert not (folder / "run/metrics.json").exists()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, trained_folder: Path) -> Path:
    """A folder with the data set and with `run`, which was killed after its second epoch.

    Tests work on copies of the run in this folder, because a run can only be resumed on the same data set.
    """
    folder = tmp_path_factory.mktemp("killed")
    shutil.copytree(trained_folder / "data", folder / "data")
    interrupt(folder, signal.SIGKILL, *TINY, *NET, *LONG)
    (folder / "run").rename(folder / "killed")
    return folder


def snapshots(run: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(run, "snapshots").iterdir()}


def weights(run: str) -> list[np.ndarray]:
    return keras.saving.load_model(f"{run}/model.keras").get_weights()


def test_an_interrupted_run_is_resumed_to_the_weights_of_an_uninterrupted_run(
    command: Command, killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run is killed, another one is stopped by Ctrl-C; each is resumed in another process."""
    monkeypatch.chdir(killed)
    given = [*TINY, *NET, *LONG]
    trained(command, *NET, *LONG, run="whole")
    assert sorted(snapshots("whole")) == [f"epoch_{epoch:03d}.weights.npz" for epoch in range(7)]
    interrupt(killed, signal.SIGINT, *given)
    shutil.copytree("killed", "resumed")
    for run, more in (("resumed", ["resume=true"]), ("run", [])):
        resumed = command("train", *given, *more, f"hydra.run.dir={run}")
        assert resumed.status == 0, resumed.err
        assert "resuming after epoch" in resumed.out
        assert not Path(run, "state.npz").exists()
        assert snapshots(run) == snapshots("whole")
        assert Path(run, "history.csv").read_text() == Path("whole/history.csv").read_text()
        assert Path(run, "metrics.json").read_text() == Path("whole/metrics.json").read_text()
        for ours, theirs in zip(weights(run), weights("whole"), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("two")
def test_resume_finds_the_interrupted_run_by_its_settings(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt("interrupted")

    arguments = [*TINY, *NET, "training.epochs=2"]
    with monkeypatch.context() as patch:
        patch.setattr("convscope.app.train.train.fit", stop)
        stopped = command("train", *arguments, "hydra.run.dir=outputs/train/one")
    assert stopped.status == 130
    assert "hydra.run.dir=" in stopped.err
    assert "resume=true" in stopped.err
    other = command("train", *arguments, "seed=1", "resume=true", "hydra.run.dir=outputs/train/two")
    assert other.status == 1
    assert "holds no interrupted run with these settings" in other.err
    assert command("train", *arguments, "resume=true", "hydra.run.dir=outputs/train/two").status == 0
    assert Path("outputs/train/one/metrics.json").exists()
    assert not Path("outputs/train/two").exists()
    finished = command("train", *arguments, "hydra.run.dir=outputs/train/one")
    assert "already holds a trained model" in finished.err


def test_a_run_is_not_resumed_on_changed_data(
    command: Command, killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(killed)
    shutil.copytree("killed", "changed")
    manifest = Path("data/two/manifest.json")
    text = manifest.read_text()
    manifest.write_text(text.replace('"seed": 0', '"seed": 7'))
    outcome = command("train", *TINY, *NET, *LONG, "hydra.run.dir=changed")
    manifest.write_text(text)
    assert outcome.status == 1
    assert "has changed since the run" in outcome.err


@pytest.mark.usefixtures("two")
def test_predictions_scores_and_report_agree(command: Command) -> None:
    with Path("donor/predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    metrics = json.loads(Path("donor/metrics.json").read_text())
    for split in ("validation", "test"):
        of_split = [row for row in rows if row["split"] == split]
        assert len(of_split) == metrics[split]["images"]
        right = sum(row["true"] == row["predicted"] for row in of_split)
        assert right / len(of_split) == metrics[split]["accuracy"]
        for row in of_split:
            assert Path(row["path"]).parent.name == row["true"]
            assert float(row["dark"]) + float(row["light"]) == pytest.approx(1, abs=1e-5)
            assert (float(row["dark"]) > float(row["light"])) == (row["predicted"] == "dark")
    report = Path("donor/report.html").read_text("utf-8")
    assert f"{metrics['test']['loss']:.4f}" in report
    assert report.count("data:image/png;base64,") == 5
    assert 'src="http' not in report
    assert "training.epochs=1" in report  # the command


def evaluated_in(precision: str, run: str) -> Evaluation:
    """Evaluate the saved model on the validation split in some precision."""
    bundle = open_checkpoint(Path(run))
    examples = labelled_images(Path("data/two"), open_dataset(Path("data/two")), "validation")
    contract = bundle.contract
    batches = Batches(examples, size=contract.input_size, preprocessing=contract.preprocessing, batch_size=32)
    return evaluate(in_precision(bundle.model, precision), batches)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_curves_are_in_the_precision_of_training_and_scores_in_float32(
    command: Command, precision: str
) -> None:
    trained(command, *NET, "training.epochs=2", f"training.precision={precision}")
    with Path("run/history.csv").open(newline="") as file:
        lowest = min(float(row["val_loss"]) for row in csv.DictReader(file))
    loss = json.loads(Path("run/metrics.json").read_text())["validation"]["loss"]
    assert evaluated_in(precision, "run").loss == pytest.approx(lowest, rel=1e-5)
    assert evaluated_in("float32", "run").loss == pytest.approx(loss, rel=1e-5)
    note = f"curves are computed in {precision}"
    assert (note in Path("run/report.html").read_text("utf-8")) == (precision != "float32")
    assert (loss != pytest.approx(lowest, rel=1e-5)) == (precision != "float32")


@pytest.mark.usefixtures("two")
def test_the_model_is_saved_without_its_optimizer() -> None:
    assert not keras.saving.load_model("donor/model.keras").compiled


@pytest.mark.usefixtures("two")
def test_the_jobs_of_a_sweep_do_not_affect_each_other(command: Command) -> None:
    """Jobs 0 and 2 have no data set and fail; jobs 1 and 3 give the weights of `donor`, trained alone."""
    sweep = ["training.deterministic=true,false", "dataset.name=nothing,two", "hydra.sweep.dir=sweep"]
    jobs = ["deterministic=false,name=two", "deterministic=true,name=two"]
    outcome = command("train", "-m", *TINY[:-1], *NET, *sweep)
    assert outcome.status == 1
    assert outcome.err.count("error: no data set at data/nothing") == 2
    assert "\n4 runs: 2 finished, 2 failed\n" in outcome.out
    assert outcome.err.splitlines()[-1].startswith("error: 2 of 4 runs failed, the first with: no data set")
    again = command("train", "-m", *TINY[:-1], *NET, *sweep, "sweep.resume=true")
    assert (again.status, again.err.count("error:"), "\nrun " in again.out) == (1, 1, False)
    assert {json.loads(path.read_text())["attempts"] for path in Path("sweep").rglob("run.json")} == {1}
    assert sorted(path.parent.name for path in Path("sweep").rglob("metrics.json")) == jobs
    assert not is_op_determinism_enabled()
    alone = keras.saving.load_model("donor/model.keras")
    for job in jobs:
        model = keras.saving.load_model(f"sweep/{job}/model.keras")
        assert model.to_json() == alone.to_json()
        for ours, theirs in zip(model.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_without_tensorboard_the_error_has_the_command_that_installs_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    done = command("train", "logger=tensorboard")
    assert done.status == 1
    assert done.err.startswith("error: logger=tensorboard needs TensorBoard, which is not installed: run '")
