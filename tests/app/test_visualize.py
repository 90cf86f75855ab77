"""Stage 3 on checkpoints that train.py did not write, by the real command."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from convscope.app.visualize.views.activations.arrays import saving
from convscope.errors import ConvscopeError
from convscope.images import resize, save_png
from tests.conftest import Outcome, files_on_page, shown_on_page

Command = Callable[..., Outcome]
SAID = ["preprocessing=unit_range", "class_names=[dark,light]"]


@pytest.fixture
def photograph(tmp_path: Path) -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    save_png(tmp_path / "photo.png", pixels)
    return f"images={tmp_path / 'photo.png'}"


def nested(*, channels: int = 3, units: int = 2) -> keras.Model:
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [
            keras.Input((24, 24, channels)),
            keras.layers.Conv2D(5, 3, activation="relu", name="first"),
            keras.layers.MaxPooling2D(name="pool"),
            keras.layers.Conv2D(7, 3, name="second"),
        ],
        name="trunk",
    )
    inputs = keras.Input((24, 24, channels), name="pixels")
    x = keras.layers.GlobalAveragePooling2D(name="mean")(inner(inputs))
    return keras.Model(inputs, keras.layers.Dense(units, name="out")(x), name="net")


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.parametrize(("channels", "units"), [(3, 2), (1, 2), (3, 1)])
def test_a_foreign_model_is_drawn_with_every_view(
    command: Command, photograph: str, name: str, channels: int, units: int
) -> None:
    nested(channels=channels, units=units).save(name)
    outcome = command(
        "visualize", f"checkpoint={name}", *SAID, photograph, "filters.steps=2", "hydra.run.dir=out"
    )
    assert outcome.status == 0, outcome.err
    manifest = json.loads(Path("out/manifest.json").read_text())
    drawn = {
        entry["layer"]
        for entry in manifest["files"]
        if entry.get("view") == "activations" and "layer" in entry
    }
    assert drawn == {"trunk/first", "trunk/pool", "trunk/second", "out"}
    with Path("out/layers/layers.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["pixels", "trunk/first", "trunk/pool", "trunk/second", "mean", "out"]
    second = rows["trunk/second"]  # 3; 4 after pooling; then two more positions of stride 2
    assert (second["output"], second["receptive_field"], second["stride"]) == ("9×9×7", "8", "2")
    assert second["parameters"] == str(3 * 3 * 5 * 7 + 7)
    assert rows["out"]["receptive_field"] == ""
    for line in outcome.out.splitlines():
        if "trunk/second" in line:
            assert line.split() == ["3", "trunk/second", "Conv2D", "9×9×7", second["parameters"], "8", "2"]
            break
    else:
        pytest.fail("the table is not printed")
    page = shown_on_page()
    assert [layer["path"] for layer in page["layers"]] == list(rows)
    assert page["layers"][2]["sources"] == ["01"]
    assert page["layers"][3]["windows"] == [[0, 8, 2], [0, 8, 2]]
    assert len(files_on_page()["layers/layers.csv"]["data"]["rows"]) == 6


def test_class_names_are_read_from_a_file_and_a_wrong_count_is_refused(
    command: Command, photograph: str
) -> None:
    nested().save("m.keras")
    Path("names.txt").write_text("dark\nlight\n")
    arguments = ["checkpoint=m.keras", "preprocessing=none", photograph, "views=[class_activation]"]
    outcome = command("visualize", *arguments, "class_names=@names.txt", "hydra.run.dir=out")
    assert outcome.status == 0, outcome.err
    assert list(Path("out/class_activation").rglob("dark_*.png")) or list(
        Path("out/class_activation").rglob("light_*.png")
    )
    wrong = command("visualize", *arguments, "class_names=[a,b,c]")
    assert "has 2 classes, but class_names lists 3" in wrong.err


def test_maps_and_probabilities_are_from_one_forward_pass(
    command: Command, photograph: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nested(units=2)
    model.save("m.keras")
    passes = []
    call = keras.layers.GlobalAveragePooling2D.call

    def counted(layer: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
        passes.extend(["forward"] * (not tf.is_symbolic_tensor(inputs)))
        return call(layer, inputs)

    monkeypatch.setattr(keras.layers.GlobalAveragePooling2D, "call", counted)
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[activations]", "hydra.run.dir=out"]
    outcome = command("visualize", *arguments)
    assert outcome.status == 0, outcome.err
    assert passes == ["forward"]
    pixels = resize(np.asarray(Image.open("photo.png")), 24, 24) / np.float32(255)
    logits = model.predict_on_batch(pixels[None].astype(np.float32))[0]
    probability = float(np.exp(logits).max() / np.exp(logits).sum())
    (shown,) = shown_on_page()["photographs"]
    assert shown["scores"][0][1] == pytest.approx(probability, abs=1e-5)


def test_the_true_class_is_the_folder_that_is_named_like_a_class(command: Command) -> None:
    nested().save("m.keras")
    for path in ("dark/a.png", "light/b.png", "others/c.png"):
        save_png(Path(path), np.full((30, 30, 3), 50, np.uint8))
    given = ["images=[dark,light,others]", "views=[class_activation]", "hydra.run.dir=out"]
    done = command("visualize", "checkpoint=m.keras", *SAID, *given)
    assert done.status == 0, done.err
    drawn = {key: {path.stem for path in Path("out/class_activation", key).glob("*.npy")} for key in "abc"}
    (predicted,) = drawn["c"]  # all three pictures are equal
    other = ({"dark", "light"} - {predicted}).pop()
    of_other = "a" if other == "dark" else "b"
    assert drawn[of_other] == {predicted, other}  # the true class too
    assert drawn["b" if of_other == "a" else "a"] == {predicted}


def test_layers_alone_need_no_photograph(command: Command) -> None:
    nested().save("m.keras")
    outcome = command("visualize", "checkpoint=m.keras", *SAID, "views=[layers]", "hydra.run.dir=out")
    assert outcome.status == 0, outcome.err
    assert "0photograph" not in outcome.err
    assert not Path("out/activations").exists()


@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_saved_maps_and_their_summary_are_those_of_the_model(
    command: Command, photograph: str, kind: str
) -> None:
    model = nested()
    model.save("m.keras")
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[activations]", "hydra.run.dir=out"]
    more = [f"activations.save_arrays={kind}", "activations.normalize=layer", "activations.order=mean"]
    outcome = command("visualize", *arguments, *more, "activations.channels=true")
    assert outcome.status == 0, outcome.err
    pixels = np.asarray(Image.open("photo.png"))
    inputs = (resize(pixels, 24, 24) / np.float32(255))[None].astype(np.float32)
    trunk = model.get_layer("trunk")
    expected = keras.Model(trunk.inputs[0], trunk.get_layer("first").output).predict_on_batch(inputs)[0]
    with np.load("out/activations/photo/maps.npz") as file:
        assert sorted(file.files) == ["out", "trunk/first", "trunk/pool", "trunk/second"]
        assert file["trunk/first"].dtype == kind
        np.testing.assert_allclose(file["trunk/first"], expected, rtol=1e-3, atol=1e-6)
    with Path("out/activations/summary.csv").open(newline="") as file:
        rows = {row["layer"]: row for row in csv.DictReader(file)}
    first = rows["trunk/first"]
    assert float(first["zeros_share"]) == pytest.approx(float((expected == 0).mean()), abs=1e-6)
    assert float(first["highest"]) == pytest.approx(float(expected.max()), rel=1e-5)
    files = json.loads(Path("out/manifest.json").read_text())["files"]
    (entry,) = [entry for entry in files if entry["path"].endswith("1_trunk.first.png")]
    assert entry["order"] == np.argsort(-expected.mean(axis=(0, 1)), kind="stable").tolist()
    assert entry["normalize"].startswith("all channels on one scale")
    channels = sorted(path.name for path in Path("out/activations/photo/channels").iterdir())
    assert len(channels) == 5 + 5 + 7
    assert channels[0] == "01--000.png"
    assert files_on_page()["activations/photo/channels/01--000.png"]["role"] == "file"


def test_values_that_float16_cannot_hold_are_refused(command: Command, photograph: str) -> None:
    model = nested()
    layer = model.get_layer("trunk").get_layer("first")
    layer.set_weights([np.full_like(layer.get_weights()[0], 1e6), layer.get_weights()[1]])
    model.save("m.keras")
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[activations]"]
    outcome = command("visualize", *arguments, "activations.save_arrays=float16")
    assert "the maximum of float16 is 65504: set activations.save_arrays=float32" in outcome.err
    with (
        pytest.raises(ConvscopeError, match=r"the maximum of float32 is 3\.40282e\+38: .*save_arrays=null"),
        saving(Path("maps.npz"), "float32") as add,
    ):
        add({"double": np.array([1e39])})
    assert not Path("maps.npz").exists()


def test_a_given_range_is_the_scale_of_all_channels(command: Command, photograph: str) -> None:
    nested().save("m.keras")
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[activations]", "hydra.run.dir=out"]
    given = ["activations.normalize=range", "activations.range=[0,2]", "activations.layers=[first]"]
    assert command("visualize", *arguments, *given).status == 0
    files = json.loads(Path("out/manifest.json").read_text())["files"]
    (entry,) = [entry for entry in files if entry.get("layer") == "trunk/first"]
    assert entry["normalize"] == "all channels on one scale, 0 to 2"


def test_dead_channels_of_a_folder_of_photographs_are_framed(command: Command, photograph: str) -> None:
    model = nested()
    kernel, bias = model.get_layer("trunk").get_layer("first").get_weights()
    model.get_layer("trunk").get_layer("first").set_weights([kernel, bias - np.float32([0, 50, 0, 0, 0])])
    model.save("m.keras")
    Path("many").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 8, 8, 3)).astype(np.uint8)
    for index, picture in enumerate(pixels):
        save_png(Path(f"many/{index}.png"), picture)
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[activations]", "hydra.run.dir=out"]
    given = ["activations.statistics=split", "activations.normalize=dataset"]
    outcome = command("visualize", *arguments, *given, "splits=[many]")
    assert outcome.status == 0, outcome.err
    files = json.loads(Path("out/manifest.json").read_text())["files"]
    entries = {entry["layer"]: entry for entry in files if "layer" in entry}
    assert entries["trunk/first"]["dead"] == [1]
    assert "dead" not in entries["trunk/second"]  # no rectifier cuts it off
    assert "framed: 1 dead on 1,000 images" in entries["trunk/first"]["caption"]
    assert (
        entries["trunk/pool"]["normalize"] == "each channel from 0 to its 99.5th percentile on 1,000 images"
    )
    with Path("out/activations/summary.csv").open(newline="") as file:
        dead = {row["layer"]: (row["dead"], row["dead_share"]) for row in csv.DictReader(file)}
    assert dead == {"trunk/first": ("1", "0.2"), "trunk/pool": ("", ""), "trunk/second": ("", "")}
    with Path("out/activations/summary.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    pictures = [resize(np.asarray(Image.open(path)), 24, 24) for path in Path("many").iterdir()]
    trunk = model.get_layer("trunk")
    inputs = (np.stack(pictures) / np.float32(255)).astype(np.float32)
    maps = keras.Model(trunk.inputs[0], trunk.get_layer("first").output).predict(inputs, verbose=0)
    assert (first["split_pictures"], first["layer"]) == ("1000", "trunk/first")
    assert float(first["split_zeros_share"]) == pytest.approx((maps == 0).mean(), abs=1e-3)
    (chart,) = [entry for entry in files if entry["path"].endswith("distributions.png")]
    assert chart["caption"].endswith("of the 1,000 images of splits")
    outcome = command("visualize", *arguments, given[0], "splits=[many/1*.png]", "overwrite=true")
    assert "111 images are too few to find dead channels: expected at least 1,000 in splits" in outcome.out


def test_maps_before_the_activation_are_drawn(command: Command, photograph: str) -> None:
    nested().save("m.keras")
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[activations]", "hydra.run.dir=out"]
    given = ["activations.before_activation=true", "activations.save_arrays=float32"]
    outcome = command("visualize", *arguments, *given, "activations.channels=true")
    assert outcome.status == 0, outcome.err
    with np.load("out/activations/photo/maps.npz") as file:
        before, after = file["trunk/first before activation"], file["trunk/first"]
        assert sorted(file.files) == [
            "out", "trunk/first", "trunk/first before activation", "trunk/pool", "trunk/second",
        ]  # fmt: skip
    assert before.min() < 0
    np.testing.assert_array_equal(np.maximum(before, 0), after)
    files = {entry["path"] for entry in json.loads(Path("out/manifest.json").read_text())["files"]}
    on_disk = {str(path.relative_to("out")) for path in Path("out/activations").rglob("*.png")}
    assert on_disk <= files
    assert len([path for path in files if "/channels/01_before--" in path]) == 5
    assert len([path for path in files if "/channels/01--" in path]) == 5


def test_the_page_gets_the_output_of_the_normalization_before_an_activation(
    command: Command, photograph: str
) -> None:
    inputs = keras.Input((24, 24, 3), name="pixels")
    x = keras.layers.BatchNormalization(name="normal")(keras.layers.Conv2D(4, 3, name="conv")(inputs))
    x = keras.layers.GlobalAveragePooling2D(name="mean")(keras.layers.ReLU(name="relu")(x))
    keras.Model(inputs, keras.layers.Dense(2, name="out")(x)).save("m.keras")
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[activations]"]
    wanted = ["activations.layers=[normal,relu]", "activations.save_arrays=float32", "hydra.run.dir=out"]
    outcome = command("visualize", *arguments, *wanted, "activations.before_activation=true")
    assert outcome.status == 0, outcome.err
    (path,) = [
        path for path, one in files_on_page().items() if (one.get("data") or {}).get("kind") == "maps_before"
    ]
    shown = json.loads(Path("out", path).read_text("utf-8").partition("] = ")[2].strip().removesuffix(";"))
    assert shown["layer"] == "conv"
    with np.load("out/activations/photo/maps.npz") as file:
        np.testing.assert_allclose(shown["low"], file["normal"].min(axis=(0, 1)), rtol=1e-3)
        assert min(shown["low"]) < 0 <= file["relu"].min()


def test_grids_and_channels_are_animated_in_frames_of_one_size(command: Command, photograph: str) -> None:
    nested().save("m.keras")
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[activations]", "hydra.run.dir=out"]
    given = ["activations.animate=[mp4,gif]", "activations.channels=true", "activations.rate=4"]
    outcome = command("visualize", *arguments, *given)
    assert outcome.status == 0, outcome.err
    folder = Path("out/activations/photo")
    images = {path.name: Image.open(path) for path in folder.glob("*.gif")}
    frames = {name: getattr(image, "n_frames", 1) for name, image in images.items()}
    expected = {"layers.gif": 4, "01_trunk.first.gif": 5, "02_trunk.pool.gif": 5, "03_trunk.second.gif": 7}
    assert frames == expected
    assert images["layers.gif"].info["duration"] == 250
    assert images["01_trunk.first.gif"].info["duration"] == 20  # 40 a second; a GIF has no more than 50
    files = json.loads(Path("out/manifest.json").read_text())["files"]
    rates = {entry["path"].rpartition("/")[2]: entry["rate"] for entry in files if "rate" in entry}
    assert set(rates) == {f"{name[:-4]}.{ending}" for name in expected for ending in ("gif", "mp4")}
    assert (rates["layers.gif"], rates["01_trunk.first.gif"]) == (4, 50)  # as it is shown
    assert (rates["layers.mp4"], rates["01_trunk.first.mp4"]) == (4, 40)
    assert cv2.VideoCapture(str(folder / "03_trunk.second.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 7
    for name in rates:
        assert (folder / name).is_file()
        assert files_on_page()[f"activations/photo/{name}"]["role"] == "link"
    first = np.asarray(Image.open(folder / "01_trunk.first.png").convert("RGB"))
    shown = np.asarray(images["layers.gif"].convert("RGB")).astype(int)[: first.shape[0], : first.shape[1]]
    assert np.abs(shown - first).mean() < 2


@pytest.fixture
def three(tmp_path: Path) -> str:
    for index, pixels in enumerate(
        np.random.default_rng(1).integers(0, 256, (3, 30, 20, 3)).astype(np.uint8)
    ):
        save_png(tmp_path / f"three/{index}.png", pixels)
    return f"images={tmp_path / 'three'}"


def test_maps_do_not_depend_on_batches_and_groups_of_layers(
    command: Command, three: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nested().save("m.keras")
    arguments = ["checkpoint=m.keras", *SAID, three, "activations.save_arrays=float32"]
    arguments += ["views=[activations,class_activation]", "activations.animate=mp4"]
    bytes_of_pool = 2 * 11 * 11 * 5 * 4  # of a batch of two; `first` and `second` take more
    for batch, limit in ((1, 2**30), (2, bytes_of_pool), (2, 2**30), (3, 2**30), (2, bytes_of_pool)):
        monkeypatch.setattr("convscope.app.visualize.views.activations.drawing.MAX_BYTES", limit)
        run = f"out-{batch}-{limit}"
        before = {path: path.read_bytes() for path in Path(run).rglob("activations/*/*") if path.is_file()}
        outcome = command(
            "visualize", *arguments, f"activations.batch={batch}", f"hydra.run.dir={run}", "overwrite=true"
        )
        assert outcome.status == 0, outcome.err
        for path, content in before.items():  # the same command again
            assert path.read_bytes() == content, path
        page = json.loads(Path(run, "manifest.json").read_text())["files"]
        alone = json.loads(Path(f"out-1-{2**30}/manifest.json").read_text())["files"]
        assert [entry["path"] for entry in page] == [entry["path"] for entry in alone]
        for index in range(3):
            with (
                np.load(f"out-1-{2**30}/activations/{index}/maps.npz") as expected,
                np.load(f"{run}/activations/{index}/maps.npz") as maps,
            ):
                assert maps.files == expected.files == ["trunk/first", "trunk/pool", "trunk/second", "out"]
                for name in maps.files:
                    np.testing.assert_allclose(maps[name], expected[name], rtol=1e-5, atol=1e-6)


def test_layers_drawn_before_a_failure_are_on_the_page(
    command: Command, three: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nested()
    kernel, bias = model.get_layer("trunk").get_layer("second").get_weights()
    model.get_layer("trunk").get_layer("second").set_weights([kernel * 1e30, bias])
    model.save("m.keras")
    monkeypatch.setattr("convscope.app.visualize.views.activations.drawing.MAX_BYTES", 1)
    arguments = ["checkpoint=m.keras", *SAID, three, "activations.save_arrays=float16", "activations.batch=2"]
    outcome = command("visualize", *arguments, "views=[activations]", "hydra.run.dir=out")
    assert outcome.status == 1
    assert "layer trunk/second has values up to" in outcome.err.strip().splitlines()[-1]
    listed = [entry["path"] for entry in json.loads(Path("out/manifest.json").read_text())["files"]]
    pictures = [path for path in listed if path.endswith((".jpg", ".png"))]
    assert pictures == [
        *(f"photographs/{index}.jpg" for index in range(3)),
        *(
            f"activations/{index}/{name}.png"
            for index in range(2)
            for name in ("01_trunk.first", "02_trunk.pool")
        ),
        "activations/summary.png",
        "activations/distributions.png",
    ]
    assert set(pictures) <= set(files_on_page())
    assert not list(Path("out").rglob("*.npz*"))


def test_views_drawn_before_a_failure_are_on_the_page(command: Command, photograph: str) -> None:
    nested().save("m.keras")
    Path("many").mkdir()
    Path("many/broken.png").write_bytes(b"no picture")
    arguments = ["checkpoint=m.keras", *SAID, photograph, "hydra.run.dir=out", "splits=[many]"]
    outcome = command("visualize", *arguments, "views=[activations,examples]")
    assert outcome.status == 1
    assert "broken.png" in outcome.err.strip().splitlines()[-1]
    listed = [entry["path"] for entry in json.loads(Path("out/manifest.json").read_text())["files"]]
    assert "activations/photo/01_trunk.first.png" in listed
    assert "activations/photo/01_trunk.first.png" in files_on_page()
    assert not shown_on_page()["complete"]


def test_all_files_are_listed_after_a_failure_within_a_photograph(command: Command, photograph: str) -> None:
    nested().save("m.keras")
    Path("out/activations/photo/03_trunk.second.png").mkdir(parents=True)  # where a grid is to be
    arguments = ["checkpoint=m.keras", *SAID, photograph, "hydra.run.dir=out"]
    outcome = command("visualize", *arguments, "views=[activations,class_activation]")
    assert outcome.status == 1
    assert outcome.err.strip().splitlines()[-1].startswith("error: ")
    manifest = json.loads(Path("out/manifest.json").read_text())
    listed = {entry["path"] for entry in manifest["files"]}
    on_disk = {path.relative_to("out").as_posix() for path in Path("out").rglob("*") if path.is_file()}
    assert listed | {"manifest.json", ".unfinished"} == on_disk
    assert {"photographs/photo.jpg", "activations/photo/01_trunk.first.png"} <= listed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["images=photos"], "cannot read photos/b.jpg: not an image (expected"),
        (["images=photos"], "; 2 of 3 photographs cannot be read: remove damaged files from images"),
        (["images=empty"], "no images in folder empty"),
    ],
)
def test_wrong_paths_and_layers_give_an_error_of_one_line(
    command: Command, photograph: str, arguments: list[str], said: str
) -> None:
    nested().save("m.keras")
    Path("empty").mkdir()
    Path("photos").mkdir()
    Path("photos/a.png").write_bytes(Path("photo.png").read_bytes())
    for name in ("b.jpg", "c.jpg"):
        Path("photos", name).write_text("no photograph")
    outcome = command("visualize", "checkpoint=m.keras", *SAID, photograph, *arguments)
    assert outcome.status == 1
    assert said in outcome.err.strip().splitlines()[-1]
    assert "Traceback" not in outcome.err


def test_photographs_with_odd_names_are_on_the_page(command: Command, photograph: str) -> None:
    nested().save("m.keras")
    odd = ['<b>x & "y".png', "猫 写真.png"]
    Path("日本 語").mkdir()
    for name in odd:
        Path("日本 語", name).write_bytes(Path("photo.png").read_bytes())
    arguments = ["checkpoint=m.keras", *SAID, "images=[日本 語]", "views=[activations]"]
    outcome = command("visualize", *arguments, "hydra.run.dir=out")
    assert outcome.status == 0, outcome.err
    files = json.loads(Path("out/manifest.json").read_text("utf-8"))["files"]
    assert [entry["title"] for entry in files if entry.get("view") == "photograph"] == odd
    assert all(Path("out", entry["path"]).is_file() for entry in files)
    assert [photograph["name"] for photograph in shown_on_page()["photographs"]] == odd
    assert "<" not in Path("out/page/index.js").read_text("utf-8")


def test_files_of_the_user_in_the_run_directory_are_not_overwritten(
    command: Command, photograph: str
) -> None:
    nested().save("m.keras")
    arguments = ["checkpoint=m.keras", *SAID, photograph, "views=[class_activation]", "hydra.run.dir=out"]
    for name, given in (
        ("photographs/photo.jpg", []),
        ("config.yaml", []),
        ("photo.png", ["class_activation.overlay_file='{photograph}.png'"]),
    ):
        theirs = Path("out", name)
        theirs.parent.mkdir(parents=True, exist_ok=True)
        theirs.write_text("mine")
        for overwrite in ("false", "true"):
            outcome = command("visualize", *arguments, *given, f"overwrite={overwrite}")
            assert outcome.status == 1
            assert f"out has a file {name} that is in no manifest" in outcome.err.strip().splitlines()[-1]
            assert theirs.read_text() == "mine"
        theirs.unlink()
    Path("out/notes.txt").write_text("mine")
    for overwrite in ("false", "true"):
        outcome = command("visualize", *arguments, f"overwrite={overwrite}")
        assert outcome.status == 0, outcome.err
    assert Path("out/notes.txt").read_text() == "mine"


def test_classes_that_differ_by_case_and_names_that_are_not_utf8_are_drawn(command: Command) -> None:
    nested().save("m.keras")
    Path("photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    save_png(Path("plain.png"), pixels)
    Path(os.fsdecode(b"photos/c\xe9.png")).write_bytes(Path("plain.png").read_bytes())
    given = ["preprocessing=unit_range", "class_names=[Cat,cat]", "images=photos", "hydra.run.dir=out"]
    for name in ("Cat", "cat"):
        outcome = command(
            "visualize", "checkpoint=m.keras", *given, "views=[class_activation]", "overwrite=true",
            f"class_activation.classes={name}",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
    files = json.loads(Path("out/manifest.json").read_text())["files"]
    assert {entry["photograph"] for entry in files if "view" in entry} == {"photos/c\\udce9.png"}
    assert any(entry["path"].endswith("cat-2_overlay.png") for entry in files)


def test_a_table_gives_the_true_classes_of_photographs(command: Command, photograph: str) -> None:
    nested().save("m.keras")
    given = ["visualize", "checkpoint=m.keras", *SAID, photograph, "views=[class_activation]"]
    explained = [*given, "class_activation.classes=[true]", "labels=t.csv", "hydra.run.dir=out"]
    Path("t.csv").write_text("path,class\nphoto.png,light\nother.png,dark\n")
    unlabelled = command(*given, "class_activation.classes=[true]", "hydra.run.dir=unlabelled")
    note = (
        "note: class_activation.classes selects nothing for 1 photograph(s), because the true class is not "
        "known (labels=FILE.csv gives it) or is the predicted one: photo.png\n"
    )
    assert note in unlabelled.out
    labelled = command(*explained)
    assert labelled.status == 0
    assert "selects nothing" not in labelled.out
    files = json.loads(Path("out/manifest.json").read_text())["files"]
    assert {entry["class"] for entry in files if "class" in entry} == {"light"}
    for line, message in {
        "photo.png,lihgt": "labels=t.csv line 2: no class 'lihgt': did you mean light?",
        "other.png,light": "labels=t.csv lists 1 files, but none of the photographs, such as ",
    }.items():
        Path("t.csv").write_text(f"path,class\n{line}\n")
        done = command(*explained, "overwrite=true")
        assert done.status == 1
        assert message in done.err
