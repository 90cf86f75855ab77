"""The examples view, by the real command; the first channel of the model is red, the second is dead."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from convscope.data.training_data import reference_images, training_data
from convscope.errors import ConvscopeError
from convscope.graph import flatten
from convscope.images import load_png, save_png
from convscope.models.opening import open_checkpoint
from convscope.vis.extractor import Extractor
from convscope.vis.layer_top import layers_to_search
from tests.conftest import Outcome

Command = Callable[..., Outcome]
DRAW = ["checkpoint=m.keras", "preprocessing=unit_range", "class_names=[dark,light]", "views=[examples]"]
SIZE = 24


def model() -> keras.Model:
    """Return a model with two ReLU channels of 5×5 pixels: red minus green and blue, and a dead one."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(2, 5, activation="relu", name="red")(inputs)
    x = keras.layers.Conv2D(3, 20, activation="tanh", name="whole", padding="same", strides=10)(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    result = keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="out")(x))
    kernel = np.zeros((5, 5, 3, 2), np.float32)
    kernel[..., 0, 0], kernel[..., 1:, 0], kernel[..., 1] = 1, -1, -1
    result.get_layer("red").set_weights([kernel, np.zeros(2, np.float32)])
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, twice as high and four times as wide as the input; `planted` has a red patch."""
    rng = np.random.default_rng(0)
    for name in ("a", "b", "planted"):
        pixels = rng.integers(0, 40, (2 * SIZE, 4 * SIZE, 3)).astype(np.uint8)
        if name == "planted":
            pixels[2 * 7 : 2 * 12, 4 * 11 : 4 * 16] = (255, 0, 0)
        save_png(tmp_path / "photos" / f"{name}.png", pixels)
    model().save(tmp_path / "m.keras")
    return tmp_path / "photos"


def rows_of(run: str) -> list[dict[str, str]]:
    with Path(run, "examples/examples.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_the_values_of_the_maps_and_the_crop_shows_the_patch(
    command: Command, folder: Path
) -> None:
    outcome = command("visualize", *DRAW, f"splits={folder}", "hydra.run.dir=out", "examples.top=3")
    assert outcome.status == 0, outcome.err
    rows = rows_of("out")
    assert len(rows) == (2 + 3) * 3
    graph = flatten(keras.saving.load_model("m.keras"))
    extract = Extractor(graph.model, [layer for layer in graph.layers if layer.is_convolution])
    for row in rows:
        pixels = np.asarray(Image.open(row["photograph"]))
        small = pixels.reshape(SIZE, 2, SIZE, 4, 3).mean(axis=(1, 3)).round()  # whole factors: means
        maps = extract((small / 255).astype(np.float32)[None])[row["layer"]][0, ..., int(row["channel"])]
        assert float(row["value"]) == pytest.approx(float(maps.max()), rel=1e-2, abs=1e-6)
        at = int(row["row"]), int(row["column"])
        assert maps[at] == pytest.approx(float(maps.max()), rel=1e-2, abs=1e-6)
    best = rows[0]
    assert (best["layer"], best["rank"], Path(best["photograph"]).stem) == ("red", "1", "planted")
    assert float(best["value"]) == pytest.approx(25, rel=1e-5)  # 25 pixels of pure red
    assert [best[side] for side in ("row", "column", "top", "left", "bottom", "right")] == [
        "7", "11", "7", "11", "12", "16",
    ]  # fmt: skip
    files = json.loads(Path("out/manifest.json").read_text())["files"]
    first, second = (entry for entry in files if re.fullmatch(r"examples/\d+_.*\.jpg", entry["path"]))
    assert (first["view"], first["layer"], first["channels"]) == ("examples", "red", [0, 1])
    assert (first["splits"], first["photographs"]) == ([str(folder)], 3)
    assert first["value_range"] == [0, pytest.approx(25, rel=1e-5)]
    sheet = load_png(Path("out", first["path"])).astype(int)
    red = (np.abs(sheet - (255, 0, 0)) < 60).all(axis=-1)
    assert abs(red.sum() - 72 * 72) <= 4 * 72  # the first crop and nothing else; JPEG blurs its edges
    assert "1 that no photograph activates" in first["caption"]
    assert second["path"] == "examples/02_whole.jpg"


def test_a_later_run_removes_the_table_of_an_earlier_one(command: Command, folder: Path) -> None:
    assert command("visualize", *DRAW, f"splits={folder}", "hydra.run.dir=out").status == 0
    given = [*DRAW[:-1], "views=[layers]", "hydra.run.dir=out", "overwrite=true"]
    assert command("visualize", *given).status == 0
    assert not list(Path("out").rglob("examples/*.*"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["splits=bad"], "cannot read bad/x.jpg: not an image"),
        (["splits=photos", "examples.layers=[mean]"], "choose convolution layers in examples.layers"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_wrong_options_give_an_error_of_one_line(command: Command, given: list[str], said: str) -> None:
    Path("bad").mkdir()
    Path("bad/x.jpg").write_text("not an image")
    outcome = command("visualize", *DRAW, *given)
    assert outcome.status == 1
    assert outcome.err.strip().splitlines()[-1].startswith("error: ")
    assert said in outcome.err.strip().splitlines()[-1]


def test_a_photograph_in_two_splits_is_searched_once(
    command: Command,
    class_folders: Path,
    trained_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(trained_folder)
    bundle = open_checkpoint(Path("donor"))
    data, classes = training_data(bundle.contract.dataset), bundle.contract.class_names
    test = reference_images(["test"], data, classes)
    assert test.plain
    assert [test.classes[label] for label in test.labels] == [path.parent.name for path in test.paths]
    both = reference_images(["data/two", "test", str(class_folders / "dark" / "0.png")], data, classes)
    assert both.paths[: len(test.paths)] == test.paths
    assert len(both.paths) == len({path.resolve() for path in both.paths}) == 20 + 1
    assert not both.plain
    (tmp_path / "train.txt").write_text(f"{class_folders}/dark/0.png\n{class_folders}/light/0.png\n")
    assert len(reference_images([f"@{tmp_path}/train.txt"], data, classes).paths) == 2
    out = str(tmp_path / "out")
    assert command("visualize", "checkpoint=donor", "views=[examples]", f"hydra.run.dir={out}").status == 0
    assert {Path(row["photograph"]).parts[-3] for row in rows_of(out)} == {"train"}


def test_layers_are_searched_after_their_activation_by_default() -> None:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 1, name="conv")(inputs)
    x = keras.layers.ReLU(name="end")(keras.layers.BatchNormalization(name="normal")(x))
    x = keras.layers.Conv2D(2, 1, name="linear")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    layers = flatten(keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))).layers
    assert [layer.path for layer in layers_to_search(layers, [])] == ["end", "linear"]
    assert [layer.path for layer in layers_to_search(layers, ["conv"])] == ["conv"]


@pytest.mark.parametrize(
    "activation",
    [
        keras.layers.Activation("swish", name="end"),
        keras.layers.Activation("gelu", name="end"),
        keras.layers.LeakyReLU(name="end"),
        keras.layers.ELU(name="end"),
    ],
)
def test_any_activation_counts(activation: keras.layers.Layer) -> None:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 1)(inputs))
    x = keras.layers.Conv2D(2, 1)(activation(x))
    x = keras.layers.BatchNormalization(name="normal")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    layers = flatten(keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))).layers
    assert [layer.path for layer in layers_to_search(layers, [])] == ["end", "normal"]


def test_a_model_without_convolutions_is_refused() -> None:
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs))
    with pytest.raises(ConvscopeError, match="has no convolution"):
        layers_to_search(flatten(keras.Model(inputs, outputs)).layers, [])
