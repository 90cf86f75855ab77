"""Comparisons of several models, drawn by the real command."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.images import color_table, load_png, save_png
from convscope.models.bundle import Contract, save_model
from convscope.models.snapshots import save_snapshot
from convscope.preprocessing import by_name
from convscope.render.lettering import text_width
from tests.conftest import Outcome, files_on_page, shown_on_page
from tests.vis import nets

Command = Callable[..., Outcome]


def save_run(name: str, factor: float, classes: tuple[str, str] = ("dark", "light")) -> None:
    """Save a run: channel 0 is `factor` times red minus green, channel 1 is blue plus one."""
    model = nets.classifier(np.eye(2), "softmax")
    model.layers[-1].name = "head"
    kernel, *rest = model.get_weights()
    model.set_weights([kernel * np.array([factor, 1], np.float32), *rest])
    Path(name).mkdir()
    save_model(model, Path(name))
    Contract("by hand", list(classes), (3, 3), by_name("unit_range")).write(Path(name))
    save_snapshot(nets.classifier(np.eye(2), "softmax"), 0, Path(name))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one`, `two` whose channel 0 is twice as strong, and a photograph: its first row red, else black."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_run("one", 1)
        save_run("two", 2)
        pixels = np.zeros((3, 3, 3), np.uint8)
        pixels[0, :, 0] = 255
        save_png(Path("red.png"), pixels)
    return folder


@pytest.fixture
def runs(command: Command, folder: Path, tmp_path: Path) -> None:
    """A copy of `folder`, which tests may change."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def folder_of_different_runs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of `folder`, and four that differ from them by classes, input, channels or layer names."""
    different = tmp_path_factory.mktemp("different")
    shutil.copytree(folder, different, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(different)
        save_run("others", 1, ("cat", "dog"))
        for name, side, channels, layer in (
            ("large", 4, 2, "maps"),
            ("wide", 3, 5, "maps"),
            ("other", 3, 5, "other"),
        ):
            inputs = keras.Input((side, side, 3))
            maps = keras.layers.Conv2D(channels, 1, name=layer)(inputs)
            pooled = keras.layers.GlobalAveragePooling2D()(maps)
            Path(name).mkdir()
            save_model(keras.Model(inputs, keras.layers.Dense(2, "softmax")(pooled)), Path(name))
            Contract("by hand", ["dark", "light"], (side, side), by_name("unit_range")).write(Path(name))
    return different


GIVEN = ["images=red.png", "filters.steps=1", "filters.size=16", "hydra.run.dir=out"]


def listed() -> dict[str, dict]:
    return {entry["path"]: entry for entry in json.loads(Path("out/manifest.json").read_text())["files"]}


def table() -> dict[tuple[str, str, str], tuple[str, str, str]]:
    with Path("out/comparison/summary.csv").open(newline="") as file:
        return {
            (row["layer"], row["one"], row["other"]): (
                row["channels"],
                row["correlation"],
                row["kernel_change"],
            )
            for row in csv.DictReader(file)
        }


@pytest.mark.usefixtures("runs")
def test_all_models_are_on_one_scale(command: Command) -> None:
    done = command("visualize", "compare=[one,two]", *GIVEN, "views=[activations]", "comparison.channels=1")
    assert done.status == 0, done.err
    about = listed()["activations/red/01_maps.png"]
    assert about["value_range"] == [0, 2]  # red is 1, and twice that
    assert about["value_range_of_models"] == [[0, 1], [0, 2]]
    assert (about["models"], about["channels"]) == (["one", "two"], [0, 0])
    colors, side = color_table("viridis"), 96 // 3
    sheet = load_png(Path("out/activations/red/01_maps.png"))[80:]  # below the colour bar
    for level, values in ((128, 3), (255, 3), (0, 12)):  # half of the range, all of it, none
        assert (sheet == colors[level]).all(axis=2).sum() == values * side**2
    half, full = ((sheet == colors[level]).all(axis=2).nonzero()[1] for level in (128, 255))
    assert half.max() < full.min()


@pytest.mark.usefixtures("runs")
def test_the_summary_by_hand(command: Command) -> None:
    done = command("visualize", "compare=[one,two,two/model.keras]", *GIVEN, "views=[activations]")
    assert done.status == 0, done.err
    # Channel 0 differs by a factor, channel 1 is 1 everywhere. The kernel has the weights 1, -1 and 1; the
    # second model doubles two of them. The change is the root of 2, relative to the root of 3.
    change = f"{np.sqrt(2 / 3):.6g}"
    assert table() == {
        ("maps", "one", "two"): ("1", "1", change),
        ("maps", "one", "two-2"): ("1", "1", change),
        ("maps", "two", "two-2"): ("1", "1", "0"),
        ("head", "one", "two"): ("", "", "0"),
        ("head", "one", "two-2"): ("", "", "0"),
        ("head", "two", "two-2"): ("", "", "0"),
    }


@pytest.mark.usefixtures("runs")
def test_models_with_shortcuts_are_compared(command: Command) -> None:
    for name, seed in (("first", 0), ("second", 1)):
        inputs = keras.Input((3, 3, 3))
        maps = keras.layers.Conv2D(
            3, 1, name="maps", kernel_initializer=keras.initializers.Orthogonal(seed=seed)
        )
        added = keras.layers.Activation("relu")(keras.layers.Add()([inputs, maps(inputs)]))
        head = keras.layers.Dense(2, "softmax", name="head", kernel_initializer="ones")
        Path(name).mkdir()
        save_model(keras.Model(inputs, head(keras.layers.Flatten()(added))), Path(name))
        Contract("by hand", ["dark", "light"], (3, 3), by_name("unit_range")).write(Path(name))
    done = command("visualize", "compare=[first,second]", *GIVEN, "views=[activations]")
    assert done.status == 0, done.err
    assert float(table()["maps", "first", "second"][2]) > 0
    assert table()["head", "first", "second"][2] == "0"


@pytest.mark.usefixtures("runs")
def test_a_model_compared_with_itself_gives_equal_pictures(command: Command) -> None:
    done = command("visualize", "compare=[one,one]", *GIVEN, "comparison.channels=1")
    assert done.status == 0, done.err
    files = listed()
    assert files["activations/red/01_maps.png"]["models"] == ["one", "one-2"]
    sheet = load_png(Path("out/activations/red/01_maps.png"))[80 + 14 :]  # below titles of two lines
    left, side = 12 + text_width("0", 11) + 8, 96
    own, other = (sheet[:side, x : x + side] for x in (left, left + side + 2))
    assert len(np.unique(own.reshape(-1, 3), axis=0)) == 2
    np.testing.assert_array_equal(own, other)
    (heatmaps,) = [path for path in files if path.startswith("class_activation/")]
    for path, key in (
        (heatmaps, "highest"),
        ("filters/maps.jpg", "highest_response"),
        ("filters/kernels_maps.png", "largest_weight"),
    ):
        assert files[path][key][0] == files[path][key][1]


@pytest.mark.usefixtures("runs")
def test_class_activation_is_on_one_scale(command: Command) -> None:
    given = [*GIVEN, "views=[class_activation]", "class_activation.classes=dark"]
    done = command("visualize", "compare=[one,two]", *given)
    assert done.status == 0, done.err
    about = listed()["class_activation/red/dark_overlay.png"]
    # The logit of dark is the mean of channel 0 over 9 positions: each has the weight 1/9.
    assert about["highest"] == pytest.approx([1 / 9, 2 / 9], rel=1e-5)
    assert about["value_range"] == pytest.approx([0, 2 / 9], rel=1e-5)
    assert about["score"] == pytest.approx([1 / 3, 2 / 3], rel=1e-5)


@pytest.mark.usefixtures("runs")
def test_snapshots_that_share_a_network_have_their_own_weights(command: Command) -> None:
    model = nets.classifier(np.eye(2), "softmax")
    *trunk, head = model.get_weights()
    model.set_weights([*trunk, 3 * head])
    save_snapshot(model, 1, Path("two"))
    snapshots = [f"two/snapshots/epoch_00{epoch}.weights.npz" for epoch in (0, 1)]
    given = [*GIVEN, "views=[class_activation,filters]", "class_activation.classes=dark"]
    done = command("visualize", f"compare=[{','.join(snapshots)},two]", *given)
    assert done.status == 0, done.err
    about = listed()["class_activation/red/dark_overlay.png"]
    # The logit of dark is the mean of channel 0, 1/3; times 3 by the head; twice by the kernel of the run.
    assert about["score"] == pytest.approx([1 / 3, 1, 2 / 3], rel=1e-5)
    assert about["highest"] == pytest.approx([1 / 9, 3 / 9, 2 / 9], rel=1e-5)
    assert listed()["filters/kernels_maps.png"]["largest_weight"] == [[1, 1], [1, 1], [2, 1]]
    assert (
        len({entry["sha256"] for entry in json.loads(Path("out/manifest.json").read_text())["models"]}) == 3
    )


@pytest.mark.usefixtures("runs")
def test_kernels_are_on_one_scale(command: Command) -> None:
    done = command("visualize", "compare=[one,two]", *GIVEN, "views=[filters]")
    assert done.status == 0, done.err
    about = listed()["filters/kernels_maps.png"]
    assert about["largest_weight"] == [[1, 1], [2, 1]]
    assert about["value_range"] == [-2, 2]
    sheet = load_png(Path("out/filters/kernels_maps.png"))
    for color in ([191, 64, 128], [255, 0, 128]):  # ±1 and ±2 of 2
        assert (sheet == color).all(axis=2).sum() == 48**2
    assert (sheet == [128, 128, 191]).all(axis=2).sum() == 2 * 48**2  # blue, in both


@pytest.mark.usefixtures("runs")
def test_random_weights_are_reproducible_and_do_not_change_the_model(command: Command) -> None:
    given = ["compare=[random,one,two/snapshots/epoch_000.weights.npz]", *GIVEN]
    assert command("visualize", *given).status == 0
    first = {path: path.read_bytes() for path in sorted(Path("out").rglob("*.*")) if path.suffix != ".html"}
    again = command("visualize", *given, "overwrite=true")
    assert again.status == 0, again.err
    for path, content in first.items():
        if path.suffix in (".png", ".csv"):
            assert path.read_bytes() == content, path
    models = json.loads(Path("out/manifest.json").read_text())["models"]
    assert [model["title"] for model in models] == ["random", "one", "two epoch 0"]
    assert ["seed" in model for model in models] == [True, False, False]
    assert len({model["sha256"] for model in models}) == 3
    assert table()[("maps", "one", "two epoch 0")] == (
        "1",
        "1",
        "0",
    )  # the snapshot has the weights before they were doubled
    assert float(table()[("maps", "random", "one")][2]) > 0.1
    page = shown_on_page()
    assert page["models"] == ["random", "one", "two epoch 0"]
    assert {view["key"] for view in page["views"]} >= {"comparison", "filters", "layers"}
    maps = [file["data"] for file in files_on_page().values() if file.get("data", {}).get("kind") == "maps"]
    assert [data["model"] for data in maps] == [0, 1, 2]
    of_the_page = {path for path in listed() if path.startswith("page")}
    assert set(files_on_page()) == set(listed()) - of_the_page - {"config.yaml", "index.html"}


@pytest.mark.usefixtures("runs")
def test_another_seed_draws_other_weights(command: Command) -> None:
    found = []
    for seed in (0, 1):
        given = ["compare=[random,one]", *GIVEN, "views=[layers]", "overwrite=true", f"seed={seed}"]
        assert command("visualize", *given).status == 0
        found.append(json.loads(Path("out/manifest.json").read_text())["models"])
    assert found[0][0]["sha256"] != found[1][0]["sha256"]
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare=[one,large]"], "one has an input of 3×3 pixels, large of 4×4"),
        (["compare=[one,wide]"], "layer maps is Conv2D 3×3×2 in one, Conv2D 3×3×5 in wide"),
        (["compare=[one,other]"], "other has no layer that matches maps of one"),
        (["compare=[one,others]", "views=[class_activation]"], "one and others have different classes"),
        (
            ["compare=[one,others]", "views=[class_activation]", "class_activation.classes=dark"],
            "others: no class 'dark'",
        ),
        (["compare=[one,two]", "activations.layers=[head]"], "has no feature maps"),
    ],
)
def test_impossible_comparisons_give_an_error_of_one_line(
    command: Command,
    folder_of_different_runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(folder_of_different_runs)
    done = command("visualize", *GIVEN, *arguments)
    assert done.status == 1
    assert done.err.strip().splitlines()[-1].startswith("error: ")
    assert said in done.err.strip().splitlines()[-1]
    assert not Path("out").exists()


@pytest.mark.usefixtures("runs")
def test_layers_with_other_names_are_matched_by_their_position(command: Command) -> None:
    model = keras.saving.load_model("one/model.keras")
    for layer in model.layers:
        layer.name = f"{layer.name}_17"
    save_model(model, Path("two"))
    done = command("visualize", "compare=[one,two]", *GIVEN)
    assert done.status == 0, done.err
    assert table() == {("maps", "one", "two"): ("1", "1", "0"), ("head", "one", "two"): ("", "", "0")}


def save_convolutions(name: str, first: int, classes: int, *, pooled_last: bool = False) -> np.ndarray:
    """Save a run of three convolutions whose names differ by a number; return the second kernel."""
    layers = [keras.Input((6, 6, 3))]
    for number in range(first, first + 3):
        layers.append(keras.layers.Conv2D(8, 3, padding="same", name=f"conv2d_{number}"))
    if pooled_last:
        layers.append(keras.layers.Conv2D(classes, 1, name=f"conv2d_{first + 3}"))
        head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Softmax()]
    else:
        head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(classes, "softmax")]
    model = keras.Sequential([*layers, *head])
    Path(name).mkdir()
    save_model(model, Path(name))
    labels = [f"class {index}" for index in range(classes)]
    Contract("by hand", labels, (6, 6), by_name("unit_range")).write(Path(name))
    return np.asarray(model.layers[1].kernel)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(("classes", "pooled_last"), [(2, False), (3, False), (3, True)])
def test_layers_are_matched_by_position_for_any_head(
    command: Command, classes: int, pooled_last: bool
) -> None:
    one = save_convolutions("first", 1, 2, pooled_last=pooled_last)
    other = save_convolutions("second", 2, classes, pooled_last=pooled_last)
    given = [*GIVEN, "views=[activations]", "activations.layers=[conv2d_2]"]
    done = command("visualize", "compare=[first,second]", *given)
    assert done.status == 0, done.err
    change = np.linalg.norm(other - one) / np.linalg.norm(one)
    assert float(table()[("conv2d_2", "first", "second")][2]) == pytest.approx(change, rel=1e-5)
    assert {layer for layer, *_ in table()} >= {"conv2d_1", "conv2d_2", "conv2d_3"}


@pytest.mark.usefixtures("runs")
def test_all_pairs_are_listed_by_the_layers_of_the_first_model(command: Command) -> None:
    """The second convolution of `third` is twice that of `second`, which names it `conv2d_3`."""
    save_convolutions("first", 1, 2)
    save_convolutions("second", 2, 2)
    model = keras.saving.load_model("second/model.keras")
    doubled = model.layers[1]
    doubled.set_weights([2 * weight for weight in doubled.get_weights()])
    shutil.copytree("second", "third")
    save_model(model, Path("third"))
    given = [*GIVEN, "views=[activations]", "activations.layers=[conv2d_2]"]
    done = command("visualize", "compare=[first,second,third]", *given)
    assert done.status == 0, done.err
    rows = table()
    assert rows["conv2d_2", "second", "third"] == ("8", "1", "1")
    assert rows["conv2d_1", "second", "third"] == rows["conv2d_3", "second", "third"] == ("", "", "0")
    assert "conv2d_4" not in {layer for layer, *_ in rows}


@pytest.mark.usefixtures("runs")
def test_layers_are_matched_by_name_if_the_structure_differs(command: Command) -> None:
    save_convolutions("first", 1, 2)
    save_convolutions("second", 2, 2)
    model = keras.saving.load_model("second/model.keras")
    more = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Conv2D(3, 1, name="new"), *model.layers])
    save_model(more, Path("second"))
    given = [*GIVEN, "views=[activations]", "activations.layers=[conv2d_3]"]
    done = command("visualize", "compare=[first,second]", *given)
    assert done.status == 0, done.err
    last = np.asarray(keras.saving.load_model("first/model.keras").layers[2].kernel)
    other = np.asarray(model.get_layer("conv2d_3").kernel)
    change = np.linalg.norm(other - last) / np.linalg.norm(last)
    assert float(table()[("conv2d_3", "first", "second")][2]) == pytest.approx(change, rel=1e-5)
    assert ("conv2d_1", "first", "second") not in table()


@pytest.mark.usefixtures("runs")
def test_runs_may_have_any_names(command: Command) -> None:
    Path("one").rename("_one")
    Path("two").rename("$^$")
    done = command("visualize", "compare=['$^$',_one]", *GIVEN, "views=[activations]")
    assert done.status == 0, done.err
    assert ("maps", "$^$", "_one") in table()
    assert Path("out/comparison/summary.png").is_file()


@pytest.mark.usefixtures("runs")
def test_maps_of_a_single_position_are_on_one_scale(command: Command) -> None:
    """The mean of red is 1/3; green and blue are 0."""
    inputs = keras.Input((3, 3, 3))
    squeezed = keras.layers.GlobalAveragePooling2D(keepdims=True, name="squeezed")(inputs)
    maps = keras.layers.Conv2D(2, 1, name="maps")(squeezed)
    outputs = keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(maps))
    save_model(keras.Model(inputs, outputs), Path("one"))
    given = [*GIVEN, "views=[activations]", "activations.layers=[squeezed]", "comparison.normalize=channel"]
    done = command("visualize", "compare=[one,one]", *given)
    assert done.status == 0, done.err
    about = listed()["activations/red/01_squeezed.png"]
    assert about["silent"] == [2, 2]
    assert about["normalize"] == "all models and channels on one scale, 0 to 0.333"


@pytest.mark.usefixtures("runs")
def test_the_given_preprocessing_applies_to_the_file_and_not_to_the_run(command: Command) -> None:
    Path("foreign.keras").write_bytes(Path("two/model.keras").read_bytes())
    said = ["preprocessing=minus_one_to_one", "class_names=[dark,light]"]
    done = command("visualize", "compare=[one,foreign.keras]", *said, *GIVEN, "views=[activations]")
    assert done.status == 0, done.err
    assert "note: each model gets its own preprocessing: one unit_range" in done.out
    about = listed()["activations/red/01_maps.png"]
    assert about["value_range_of_models"][1] == [0, 4]  # red is 1, green is -1: twice their difference
