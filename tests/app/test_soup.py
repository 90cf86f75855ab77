"""Averages of the weights of several runs, by the real command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.models.bundle import read_contract
from tests.app.test_finetune import DATA, TWO
from tests.conftest import Outcome

Command = Callable[..., Outcome]


@pytest.fixture(scope="module")
def runs(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set and its donor."""
    folder = tmp_path_factory.mktemp("soup")
    for name in ("data", "donor"):
        shutil.copytree(trained_folder / name, folder / name)
    return folder


def weights(run: str) -> list[np.ndarray]:
    return keras.saving.load_model(f"{run}/model.keras").get_weights()


def test_a_soup_has_the_mean_weights_and_is_a_complete_run(
    command: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    for seed in (1, 2):
        head = [*TWO, "training.epochs=0", f"seed={seed}", f"hydra.run.dir=seed{seed}"]
        assert command("train", *DATA, *head).status == 0
    made = command("train", "evaluate=[seed1,seed2]", "soup=true", *DATA, "hydra.run.dir=soup")
    assert made.status == 0, made.err
    for one, two, mean in zip(weights("seed1"), weights("seed2"), weights("soup"), strict=True):
        np.testing.assert_allclose(mean, (one.astype(np.float64) + two) / 2, rtol=1e-6, atol=1e-9)
    assert not np.array_equal(weights("soup")[-2], weights("seed1")[-2])

    losses = [
        json.loads(Path(f"{run}/metrics.json").read_text())["validation"]["loss"]
        for run in ("seed1", "seed2")
    ]
    ours = json.loads(Path("soup/metrics.json").read_text())["validation"]["loss"]
    expected = (
        "better" if ours < min(losses) else "not better" if ours <= max(losses) else "worse than all runs"
    )
    assert f"the soup is {expected}" in made.out
    assert f"seed1: validation loss {losses[0]:.4f}" in made.out
    assert "Scores of the mean weights of 2 runs." in Path("soup/report.html").read_text("utf-8")
    contract = read_contract(Path("soup/model.json"))
    assert contract.calibration is not None
    assert [Path(run).name for run in contract.training["soup"]] == ["seed1", "seed2"]
    predicted = command("train", "predict=soup", "images=data/two/test", "hydra.run.dir=predicted")
    assert predicted.status == 0, predicted.err
    assert "unlike" in Path("predicted/predictions.csv").read_text().splitlines()[0]

    own = command(
        "train", "evaluate=[seed1,seed2]", "soup=true", *DATA, "hydra.run.dir=seed1", "overwrite=true"
    )
    assert "seed1 is one of the averaged runs" in own.err
    again = command("train", "evaluate=[seed1,seed2]", "soup=true", *DATA, "hydra.run.dir=soup")
    assert "already holds a trained model: set overwrite=true" in again.err


def test_runs_on_data_sets_that_were_divided_by_hand_have_the_same_folder(
    command: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    for name in ("one", "two"):
        shutil.copytree("data/two", f"data/by_hand_{name}", dirs_exist_ok=True)
        Path(f"data/by_hand_{name}/manifest.json").unlink()
        given = ["dataset=folder", f"dataset.name=by_hand_{name}", "augmentation=none"]
        head = [*TWO, "training.epochs=0", f"hydra.run.dir=hand_{name}"]
        assert command("train", *given, *head).status == 0
    made = command("train", "evaluate=[hand_one,hand_two]", "soup=true", *given, "hydra.run.dir=mixed")
    assert "hand_one and hand_two were trained on different splits" in made.err

    same = ["evaluate=[hand_two,hand_two]", "soup=true", *given, "hydra.run.dir=same"]
    shutil.copytree("data/by_hand_two/train/dark", "data/by_hand_two/train/grey")
    assert "has the classes dark, grey, light, but the runs have dark" in command("train", *same).err
    shutil.rmtree("data/by_hand_two/train/grey")
    shutil.rmtree("data/by_hand_two/validation")
    assert "has no validation images" in command("train", *same).err
    assert not Path("same").exists()


def test_runs_that_do_not_fit_are_refused(
    command: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    narrow = ["model.input_size=32", "model.widths=[4]", "model.units=3", "training.epochs=1"]
    assert command("train", *DATA, *narrow, "hydra.run.dir=narrow").status == 0
    for run, key, value in (
        ("other", "split_sha256", "0" * 64),
        ("renamed", "class_names", ["dark", "bright"]),
    ):
        shutil.copytree("donor", run, dirs_exist_ok=True)
        content = json.loads(Path(f"{run}/model.json").read_text())
        (content["dataset"] if key in content["dataset"] else content)[key] = value
        Path(f"{run}/model.json").write_text(json.dumps(content))
    for run, message in (
        ("narrow", "narrow has another network than the first run"),
        ("other", "donor and other were trained on different splits"),
        ("renamed", "donor and renamed differ in class_names"),
    ):
        refused = command("train", f"evaluate=[donor,{run}]", "soup=true", *DATA, "hydra.run.dir=refused")
        assert refused.status == 1
        assert message in refused.err
        assert "validation loss" not in refused.out  # nothing was evaluated in vain
        assert len(refused.err.strip().splitlines()) == 1
        assert not Path("refused/model.keras").exists()
