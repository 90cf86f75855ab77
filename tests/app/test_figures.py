"""conf/experiment/figures draws the files of the older projects, for models with their layers."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from convscope.images import save_png
from convscope.render.lettering import text_width
from tests.conftest import Outcome

Command = Callable[..., Outcome]
SAID = ["preprocessing=unit_range", "hydra.run.dir=out"]


@pytest.fixture
def photographs(tmp_path: Path) -> str:
    for name in ("cat", "dog"):
        pixels = np.random.default_rng(len(name)).integers(0, 256, (60, 80, 3)).astype(np.uint8)
        save_png(tmp_path / f"{name}.png", pixels)
    return f"images=[{tmp_path}/cat.png,{tmp_path}/dog.png]"


def sizes(folder: str, pattern: str) -> dict[str, tuple[int, int]]:
    """Return the width and height of each picture by its name."""
    return {path.name: Image.open(path).size for path in sorted(Path(folder).glob(pattern))}


def test_the_grids_of_the_corgi_project(command: Command, photographs: str) -> None:
    layers = [keras.Input((150, 150, 3))]
    for number, width in enumerate((32, 64, 128, 128), start=4):
        layers.append(keras.layers.Conv2D(width, 3, activation="relu", name=f"conv2d_{number}"))
        layers.append(keras.layers.MaxPooling2D(name=f"max_pooling2d_{number}"))
    head = [keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")]
    keras.Sequential([*layers, *head]).save("corgi.keras")
    figures = "experiment/figures=corgi_small_convnet"
    outcome = command(
        "visualize", figures, "checkpoint=corgi.keras", *SAID, "class_names=[cat,dog]", photographs
    )
    assert outcome.status == 0, outcome.err
    grids = sizes("out/cat", "*")
    assert list(grids) == [
        "0_conv2d_4.png", "1_max_pooling2d_4.png", "2_conv2d_5.png", "3_max_pooling2d_5.png",
        "4_conv2d_6.png", "5_max_pooling2d_6.png", "6_conv2d_7.png", "7_max_pooling2d_7.png",
    ]  # fmt: skip
    assert {width for width, _ in grids.values()} == {1152}
    assert sizes("out/dog", "*") == grids


def cats_and_dogs() -> keras.Model:
    """Four blocks of convolution, normalization, pooling and dropout at 128×128, with few channels."""
    layers = [keras.Input((128, 128, 3))]
    for number, width in enumerate((5, 17, 3, 2)):
        layers += [
            keras.layers.Conv2D(width, 3, activation="relu", name=f"conv2d_{number + 3}"),
            keras.layers.BatchNormalization(name=f"batch_normalization_{number + 4}"),
            keras.layers.MaxPooling2D(name=f"max_pooling2d_{number + 3}"),
            keras.layers.Dropout(0.2, name=f"dropout_{number + 4}"),
        ]
    head = [keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(2, activation="softmax")]
    return keras.Sequential([*layers, *head])


def test_the_figures_of_the_cats_and_dogs_project(command: Command, photographs: str) -> None:
    cats_and_dogs().save("theirs.h5")
    figures = "experiment/figures=cats_vs_dogs_grids"
    given = ["checkpoint=theirs.h5", "class_names=[cat,dog]", "filters.steps=1", "filters.size=100"]
    outcome = command("visualize", figures, *given, *SAID, photographs)
    assert outcome.status == 0, outcome.err
    for name in ("cat", "dog"):
        grids = sizes(f"out/activations/{name}", "?? *.png")
        assert len(grids) == 16
        assert [*grids][::15] == ["01 conv2d_3.png", "16 dropout_7.png"]
        assert set(grids.values()) == {(1600, 1600)}
        channels = sizes(f"out/activations/{name}", "??--???.png")
        assert len(channels) == 4 * (5 + 17 + 3 + 2)
        assert [*channels][:: len(channels) - 1] == ["01--000.png", "16--001.png"]
        assert set(channels.values()) == {(406, 406)}
        with Image.open(f"out/activations/{name}/layers.gif") as moving:
            assert (moving.n_frames, moving.info["duration"]) == (16, 2000)
        with Image.open(f"out/activations/{name}/01 conv2d_3.gif") as moving:
            assert moving.info["duration"] == 200
    overlays = {f"{name}_heatmap_{kind}.png" for name in ("cat", "dog") for kind in ("only", "overlayed")}
    assert set(sizes("out", "*.png")) == overlays
    listed = {entry["path"] for entry in json.loads(Path("out/manifest.json").read_text())["files"]}
    assert overlays <= listed


@pytest.mark.usefixtures("photographs")
def test_the_figures_of_the_flowers_project(command: Command, tmp_path: Path) -> None:
    """A network with the trunk that the recipe trains; few patterns of one step."""
    keras.utils.clear_session()  # so that the first convolution is conv2d
    keras.applications.InceptionV3(weights=None, classes=5).save("flowers.keras")
    outcome = command(
        "visualize", "experiment/figures=flowers_inception_v3", "checkpoint=flowers.keras", *SAID,
        "class_names=[daisy,dandelion,rose,sunflower,tulip]", f"images={tmp_path}/cat.png",
        "filters.steps=1", "filters.count=2",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    names = {f"{kind}_{number}_grid.jpg" for kind in ("conv2d", "activation") for number in (1, 4, 9)}
    assert set(sizes("out/cat", "*")) == names
    filters = sizes("out", "*_filters.jpg")
    assert set(filters) == {f"conv2d_{number}_filters.jpg" for number in (3, 8, 19, 40)}
    with Image.open("out/conv2d_3_filters.jpg") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)[58:-12]
    assert pixels.shape[0] == 299
    white = (pixels > 235).all(axis=(0, 2))
    first = 12 + text_width("79", 11) + 8  # the index of the last channel is written left of the patterns
    assert white[first + 300 : first + 303].all()  # the margin between the two patterns


def test_a_pattern_that_gives_two_pictures_one_name_is_refused(command: Command, photographs: str) -> None:
    cats_and_dogs().save("theirs.keras")
    kept = []
    for pattern, said in (
        ("activations.file=x.png", "two files would have the name x.png"),
        ("activations.file={layer}.png", "two files would have the name"),
        (
            "activations.file=Photographs/{layer}.png",
            "is in the folder of photographs; expected another folder",
        ),
        (
            "activations.channel_file={photograph}/{layer}.png",
            "expected names that differ by {photograph} and {layer}",
        ),
        (
            "class_activation.heatmap_file={photograph}.png",
            "class_activation.heatmap_file={photograph}.png: two files would have the name cat.png",
        ),
    ):
        outcome = command(
            "visualize", "checkpoint=theirs.keras", "class_names=[cat,dog]", *SAID, photographs,
            "views=[activations,class_activation]", "class_activation.overlay_file={photograph}.png", pattern,
            "activations.channels=true", "activations.layers=[0:3]", "overwrite=true",
        )  # fmt: skip
        assert outcome.status == 1
        assert said in outcome.err.strip().splitlines()[-1]
        kept.append(Path("out").exists())
        if not kept[-1]:  # nothing was drawn before the error
            continue
        entries = json.loads(Path("out/manifest.json").read_text())
        listed = {entry["path"] for entry in entries["files"]} | {"manifest.json", ".unfinished"}
        on_disk = {path.relative_to("out").as_posix() for path in Path("out").rglob("*") if path.is_file()}
        assert on_disk == listed
    assert any(kept)
