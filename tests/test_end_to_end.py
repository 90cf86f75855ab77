"""The demo as `make demo` runs it: the three commands of the Makefile in a new folder.

The variable CONVSCOPE_DEMO names a folder in which `make demo` has already run: the tests check its results.
.ci/run sets it, so that the demo is trained once. Without it the tests run the commands themselves.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import files_on_page

ROOT = Path(__file__).resolve().parent.parent
TRAIN, VISUALIZE = "outputs/demo/train", "outputs/demo/visualize"


def run(folder: Path, script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def demo_commands() -> list[list[str]]:
    """Return the script and the arguments of each command of the target `demo` in the Makefile."""
    text = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert recipe
    lines = re.findall(r"\$\(BIN\)/python (.+)", recipe[1].replace("$(DEMO)", "outputs/demo"))
    return [line.split() for line in lines]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set, the run and the page of the demo."""
    folder = tmp_path_factory.mktemp("demo")
    if finished := os.environ.get("CONVSCOPE_DEMO"):
        assert Path(finished, VISUALIZE, "index.html").is_file(), f"make demo has not run in {finished}"
        shutil.copytree(Path(finished, "data/procedural"), folder / "data/procedural")
        shutil.copytree(Path(finished, "outputs/demo"), folder / "outputs/demo")
        return folder
    for command in demo_commands():
        run(folder, *command)
    return folder


def test_the_demo_has_a_command_for_each_stage() -> None:
    assert [script for script, *_ in demo_commands()] == [
        "create_train_val_test.py", "train.py", "visualize.py",
    ]  # fmt: skip


def test_the_convnet_is_better_than_the_baselines_and_its_metrics_follow_from_its_predictions(
    demo: Path,
) -> None:
    metrics = json.loads((demo / TRAIN / "metrics.json").read_text())
    manifest = json.loads((demo / "data/procedural/manifest.json").read_text())
    with (demo / TRAIN / "predictions.csv").open(newline="") as file:
        predictions = list(csv.DictReader(file))
    assert set(metrics) == {"validation", "test"}
    for split, scores in metrics.items():
        rows = {Path(row["path"]).name: row for row in predictions if row["split"] == split}
        truth = {
            Path(image["path"]).name: image["class"]
            for image in manifest["images"]
            if image["split"] == split
        }
        assert {name: row["true"] for name, row in rows.items()} == truth
        probabilities = [{name: float(row[name]) for name in manifest["classes"]} for row in rows.values()]
        assert all(sum(row.values()) == pytest.approx(1, abs=1e-5) for row in probabilities)
        best = [max(row, key=row.__getitem__) for row in probabilities]
        accuracy = np.mean([name == row["true"] for name, row in zip(best, rows.values(), strict=True)])
        losses = [
            -np.log(max(row[answer["true"]], 1e-7))
            for row, answer in zip(probabilities, rows.values(), strict=True)
        ]
        assert scores["images"] == len(rows)
        assert scores["accuracy"] == pytest.approx(accuracy)
        assert scores["loss"] == pytest.approx(np.mean(losses), rel=0.01)
        assert accuracy >= 0.85  # the baselines of test_procedural.py stay below 0.6, chance is 0.2


def test_the_data_set_is_complete(demo: Path) -> None:
    manifest = json.loads((demo / "data/procedural/manifest.json").read_text())
    assert manifest["classes"] == ["daisy", "dandelion", "rose", "sunflower", "tulip"]
    assert len(manifest["images"]) == 1500
    for image in manifest["images"]:
        folder, label, _ = image["path"].split("/")
        assert (folder, label) == (image["split"], image["class"])
        assert (demo / "data/procedural" / image["path"]).is_file()
        assert (demo / "data/procedural" / image["mask"]).is_file()


def test_the_run_directory_contains_every_documented_file(demo: Path) -> None:
    files = {path.name for path in (demo / TRAIN).iterdir()}
    assert files == {
        "MODEL_CARD.md", "augmented_batch.png", "class_curves.png", "config.yaml", "confusion_matrix.png",
        "curves.png", "familiarity.npz", "history.csv",
        "layers.txt", "metrics.json", "model.json", "model.keras", "predictions.csv", "reliability.png",
        "report.html",
    }  # fmt: skip
    contract = json.loads((demo / TRAIN / "model.json").read_text())
    assert contract["preprocessing"]["name"] == "unit_range"
    assert contract["input_size"] == [96, 96]
    assert contract["dataset"]["manifest_sha256"]
    assert contract["dataset"]["split_sha256"]
    assert contract["calibration"]["temperature"] > 0
    history = (demo / TRAIN / "history.csv").read_text().splitlines()
    assert history[0] == "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate"
    assert len(history) == 1 + contract["training"]["epochs"]


def pictures_of(manifest: dict) -> list[str]:
    """Return the pictures that the views wrote."""
    paths = [entry["path"] for entry in manifest["files"]]
    return [path for path in paths if path.endswith((".png", ".jpg")) and not path.startswith("page/")]


def test_the_page_contains_every_view_and_every_class(demo: Path) -> None:
    drawn = demo / VISUALIZE
    page = files_on_page(drawn)
    manifest = json.loads((drawn / "manifest.json").read_text())
    paths = pictures_of(manifest)
    for path in paths:
        with Image.open(drawn / path) as image:
            image.verify()
        assert path in page
    assert sum(path.startswith("activations/") for path in paths) == 5 * (8 + 2) + 2  # charts
    assert sum(path.startswith("filters/") for path in paths) == 2 * 4 + 1 + 3  # and sprites, kernels, charts
    assert sum(path.endswith("_overlay.png") for path in paths) >= 5
    photographs = {path.split("/")[1] for path in paths if path.count("/") == 2} - {"mistakes"}
    assert {name.rpartition("_")[0] for name in photographs} == {
        "daisy", "dandelion", "rose", "sunflower", "tulip",
    }  # fmt: skip


def test_the_model_is_compared_with_random_weights(demo: Path) -> None:
    given = [f"compare=[random,{TRAIN}]", "filters.steps=4", "filters.layers=[last_conv]"]
    out = run(demo, "visualize.py", *given, "hydra.run.dir=outputs/compare")
    assert "random, train: small_convnet; 5 photograph(s)" in out
    drawn = demo / "outputs/compare"
    paths = pictures_of(json.loads((drawn / "manifest.json").read_text()))
    explained = [path.split("/")[1] for path in paths if path.startswith("class_activation/")]
    assert len(set(explained)) == 5  # the true class too if the prediction is wrong
    assert len(paths) == 5 + 5 * 8 + len(explained) + 2 + 1  # photographs, maps, …, kernels, patterns, chart
    page = files_on_page(drawn)
    for path in paths:
        with Image.open(drawn / path) as image:
            image.verify()
        assert path in page
    with (drawn / "comparison/summary.csv").open(newline="") as file:
        rows = {row["layer"]: row for row in csv.DictReader(file)}
    assert len(rows) == 4 + 4 + 2  # convolutions, poolings, dense layers
    assert all(abs(float(row["correlation"])) < 0.5 for row in rows.values() if row["correlation"])
    assert all(float(row["kernel_change"]) > 1 for row in rows.values() if row["kernel_change"])


def test_drawing_twice_gives_the_same_bytes(demo: Path) -> None:
    """The second command has no `checkpoint=`: it opens the newest run below `outputs`."""
    views = "views=[activations,class_activation,layers]"  # test_provenance.py draws patterns twice
    run(demo, "visualize.py", views, "hydra.run.dir=outputs/again")
    pictures = sorted(
        path.relative_to(demo / "outputs/again") for path in (demo / "outputs/again").rglob("*.png")
    )
    assert len(pictures) > 45
    for picture in pictures:
        first = (demo / VISUALIZE / picture).read_bytes()
        assert first == (demo / "outputs/again" / picture).read_bytes(), picture
