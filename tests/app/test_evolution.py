"""Snapshots of a training and their view, by the real commands."""

import csv
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from convscope import decode
from convscope.app.visualize.output import RunOutput
from convscope.app.visualize.run import Run
from convscope.app.visualize.views.evolution import EvolutionView
from convscope.config.schema.views.evolution import EvolutionConfig
from convscope.config.schema.visualize import VisualizeConfig
from convscope.data.pipeline import encode_photographs
from convscope.images import color_table, load_png, save_png
from convscope.models.bundle import Contract, save_model
from convscope.models.opening import open_checkpoint
from convscope.models.snapshots import find_snapshots, save_snapshot
from convscope.preprocessing import by_name
from convscope.vis.extractor import Extractor
from tests.conftest import Outcome, files_on_page, run_script
from tests.vis import nets

Command = Callable[..., Outcome]
SMALL = ["model.widths=[4,6]", "model.units=4", "model.batch_normalization=true"]
TRAIN = [
    "dataset=folder", "dataset.name=two", "model.input_size=32", "augmentation=none", "callbacks=[snapshots]",
    "training.epochs=3", "training.precision=mixed_bfloat16", "hydra.run.dir=run",
]  # fmt: skip
APPLICATION = ["model=keras_application", "model.application=MobileNetV3Small", "model.weights=null"]


@pytest.fixture(scope="module")
def trained(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that trains with snapshots into `run`, once for each list of arguments."""

    @cache
    def train(*arguments: str) -> Path:
        folder = tmp_path_factory.mktemp("evolution")
        shutil.copytree(trained_folder / "data", folder / "data")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert run_script("train", *TRAIN, *arguments) == 0
        return folder

    return train


@pytest.mark.parametrize("model", [SMALL, pytest.param(APPLICATION, marks=pytest.mark.slow)])
def test_the_snapshot_of_the_best_epoch_gives_the_maps_of_the_checkpoint(
    trained: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained(*model), tmp_path, dirs_exist_ok=True)
    with Path("run/history.csv").open(newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    bundle = open_checkpoint(Path("run"))
    before = [weights.copy() for weights in bundle.model.get_weights()]
    config = VisualizeConfig(checkpoint="run", views=["evolution"])
    view = EvolutionView(
        Run(config, RunOutput(Path("out"), config)), EvolutionConfig(layers=["type:Conv2D"], channels=[2, 0])
    )
    assert view.epochs == [0, 1, 2, 3]
    photograph = view.photographs[0]
    drawn = view.maps(photograph)
    contract = bundle.contract
    inputs = encode_photographs([decode.load(photograph.path)], contract.input_size, contract.preprocessing)
    convolutions = [layer for layer in bundle.layers if layer.kind == "Conv2D"]
    expected = Extractor(bundle.model, convolutions)(inputs)
    assert list(drawn) == [layer.path for layer in convolutions]
    best = 1 + int(np.argmin(losses))
    for path, maps in drawn.items():
        np.testing.assert_array_equal(maps[best], expected[path][0][..., [2, 0]])
    assert any(not np.array_equal(maps[0], maps[best]) for maps in drawn.values())
    view.run.output.begin([view.settings])
    assert list(view.draw())
    for ours, theirs in zip(view.run.models.first.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_repeated_training_removes_the_snapshots_of_the_earlier_one(
    command: Command, trained: Callable[..., Path], tmp_path: Path
) -> None:
    shutil.copytree(trained(*SMALL), tmp_path, dirs_exist_ok=True)
    old = [snapshot.path.read_bytes() for snapshot in find_snapshots(Path("run"))]
    done = command("train", *TRAIN, *SMALL, "snapshots.every=2", "overwrite=true")
    assert done.status == 0, done.err
    new = find_snapshots(Path("run"))
    assert [snapshot.epoch for snapshot in new] == [0, 2, 3]
    assert [snapshot.path.read_bytes() for snapshot in new] == [old[0], old[2], old[3]]  # of the same seed


@pytest.fixture
def run(command: Command) -> None:
    """Save a photograph and `run`, with snapshots of two epochs.

    Channel 0 is red minus green; the second epoch doubles it. The first row of the photograph is red, the
    other rows are black.
    """
    model = nets.classifier(np.eye(2), "softmax")
    Path("run").mkdir()
    save_model(model, Path("run"))
    Contract("by hand", ["dark", "light"], (3, 3), by_name("unit_range")).write(Path("run"))
    kernel, *rest = model.get_weights()
    save_snapshot(model, 0, Path("run"))
    model.set_weights([2 * kernel, *rest])
    save_snapshot(model, 1, Path("run"))
    pixels = np.zeros((3, 3, 3), np.uint8)
    pixels[0, :, 0] = 255
    save_png(Path("red.png"), pixels)


GIVEN = ["checkpoint=run", "views=[evolution]", "images=red.png", "hydra.run.dir=out"]


@pytest.mark.usefixtures("run")
def test_all_epochs_are_on_one_scale(command: Command) -> None:
    done = command("visualize", *GIVEN, "evolution.layers=[maps]", "evolution.channels=[0]")
    assert done.status == 0, done.err
    files = {entry["path"]: entry for entry in json.loads(Path("out/manifest.json").read_text())["files"]}
    about = files["evolution/red/01_maps.png"]
    assert about["value_range"] == [0, 2]  # red is 1, and then twice that
    assert (about["epochs"], about["channels"], about["layer"]) == ([0, 1], [0, 0], "maps")
    colors, side = color_table("viridis"), 96 // 3
    strip = load_png(Path("out/evolution/red/01_maps.png"))[80:]  # below the colour bar
    for level, values in ((128, 3), (255, 3), (0, 12)):  # half of the range, all of it, none
        assert (strip == colors[level]).all(axis=2).sum() == values * side**2
    half, full = ((strip == colors[level]).all(axis=2).nonzero()[1] for level in (128, 255))
    assert half.max() < full.min()
    shown = files_on_page()
    assert shown["evolution/red/01_maps.gif"]["role"] == "figure"
    assert shown["evolution/red/01_maps.mp4"]["role"] == "link"


@pytest.mark.usefixtures("run")
def test_the_animations_have_one_frame_per_epoch(command: Command) -> None:
    given = [*GIVEN, "evolution.channels=[0]", "evolution.rate=4"]
    done = command("visualize", *given)
    assert done.status == 0, done.err
    first = {path.name: path.read_bytes() for path in Path("out/evolution/red").iterdir()}
    with Image.open("out/evolution/red/01_maps.gif") as image:
        assert image.n_frames == 2
        assert image.info["duration"] == 250
        frames = []
        for index in range(2):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
    listed = json.loads(Path("out/manifest.json").read_text())["files"]
    assert [entry["rate"] for entry in listed if entry["path"].endswith((".gif", ".mp4"))] == [4, 4]
    video = cv2.VideoCapture("out/evolution/red/01_maps.mp4")
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) / video.get(cv2.CAP_PROP_FPS) == 2 / 4
    frames += [video.read()[1][..., ::-1].astype(int)]
    for frame, level in zip(frames, (128, 255, 128), strict=True):
        near = np.abs(frame - color_table("viridis")[level]).max(axis=2) <= 6
        assert near[92:].sum() == pytest.approx(3 * 32**2, rel=0.1)  # below the colour bar; MP4 blurs edges
    assert command("visualize", *given, "overwrite=true").status == 0
    assert {path.name: path.read_bytes() for path in Path("out/evolution/red").iterdir()} == first


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evolution.channels=[0,2]"], "maps has the channels 0 to 1"),
        (["evolution.layers=[dense*]"], "has no feature maps"),
        (["checkpoint=bare/model.keras"], "train with callbacks=[snapshots]"),
    ],
)
def test_wrong_options_give_an_error_of_one_line(command: Command, arguments: list[str], said: str) -> None:
    Path("bare").mkdir()
    for name in ("model.keras", "model.json"):
        Path("bare", name).write_bytes(Path("run", name).read_bytes())
    done = command("visualize", *GIVEN, *arguments)
    assert done.status == 1
    assert done.err.strip().splitlines()[-1].startswith("error: ")
    assert said in done.err.strip().splitlines()[-1]
    assert not Path("out/index.html").exists()
