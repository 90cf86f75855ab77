"""Mistakes of users give an error of one line, exit status 1 and no traceback."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.app.prepare import prepare as prepare_module
from convscope.data import image_paths
from convscope.images import save_png

Command = Callable[..., object]
TINY = ["model.input_size=24", "model.widths=[3]", "model.units=4", "training.epochs=1", "augmentation=none"]


def is_one_line(outcome: object, *parts: str) -> None:
    lines = outcome.err.strip().splitlines()
    errors = [line for line in lines if "error:" in line]
    assert outcome.status == 1
    assert len(errors) == 1
    assert lines[-1] == errors[0]
    assert "Traceback" not in outcome.err
    for part in parts:
        assert part in errors[0]


@pytest.fixture
def run_directory(trained_folder: Path, tmp_path: Path) -> Path:
    """A copy of the photographs, the data set and the run of `trained_folder`."""
    for source, target in (("photos", "photos"), ("data", "data"), ("donor", "run")):
        shutil.copytree(trained_folder / source, tmp_path / target)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["datset=folder"], ["'datset'", "dataset"]),
        (["dataset=foldr"], ["'foldr'", "did you mean folder"]),
        (["model=inception_v3"], ["no group 'model'", "--help"]),
        (["split.tset=0.1"], ["'split.tset'", "did you mean split.test"]),
        (["split.test=much"], ["split.test", "much"]),
        (["split.test=1.5"], ["split.test=1.5", "expected"]),
        (["dataset=folder"], ["dataset.name is not given"]),
        (["dataset=folder", "dataset.name=x"], ["dataset.source is not given"]),
        (["dataset=folder", "dataset.name=x", "dataset.source=nowhere"], ["no folder at nowhere"]),
        (["dataset=folder", "dataset.name=../x", "dataset.source=."], ["not a valid folder name"]),
        (["dataset=kaggle"], ["dataset.name is not given", "dataset.kaggle=OWNER/NAME"]),
        (["dataset=kaggle", "dataset.kaggle=../../etc"], ["expected OWNER/NAME"]),
        (["dataset=flower"], ["did you mean flowers"]),
        (["dataset.classes=[rose,tulpi]"], ["no class 'tulpi'", "tulip"]),
        (["split=extend"], ["no data set at data/procedural"]),
        (["split=extend", "split.seed=1"], ["'split.seed'"]),
        (["split.folds=1"], ["split.folds=1"]),
        (["split.link=soft"], ["soft", "symlink"]),
        (["inspect.near=99"], ["inspect.near=99", "at most 16"]),
        (["dataset=folder", "dataset.source=.", "dataset.labels=none.csv"], ["none.csv", "path and class"]),
    ],
)
def test_stage_1(command: Command, tmp_path: Path, arguments: list[str], parts: list[str]) -> None:
    is_one_line(command("create_train_val_test", *arguments), *parts)
    assert list(tmp_path.rglob("*")) == []


def test_stage_1_folders(command: Command, class_folders: Path) -> None:
    prepare = ["dataset=folder", "dataset.name=x", f"dataset.source={class_folders}"]
    (class_folders / "empty").mkdir()
    is_one_line(command("create_train_val_test", *prepare), "empty", "is empty")
    (class_folders / "empty" / "few.png").write_bytes((class_folders / "dark" / "0.png").read_bytes())
    is_one_line(command("create_train_val_test", *prepare), "'empty' has 1 usable", "at least 3")
    for label in ("empty", "light"):
        (class_folders / label).rename(class_folders.parent / label)
    is_one_line(command("create_train_val_test", *prepare), "only one class, 'dark'")
    outer = ["dataset=folder", "dataset.name=x", f"dataset.source={class_folders.parent / 'outer'}"]
    (class_folders.parent / "outer").mkdir()
    for label in ("empty", "light"):
        target = class_folders.parent / "outer" / "zipped" / label
        target.parent.mkdir(exist_ok=True)
        (class_folders.parent / label).rename(target)
    (class_folders.parent / "outer" / "zipped" / "light").rename(class_folders.parent / "light")
    is_one_line(command("create_train_val_test", *outer), "only one class, 'empty'")


def test_stage_1_reports_files_that_are_not_images(command: Command, class_folders: Path) -> None:
    (class_folders / "dark" / "broken.jpg").write_bytes(b"not a photograph")
    done = command(
        "create_train_val_test", "dataset=folder", "dataset.name=x", f"dataset.source={class_folders}"
    )
    assert done.status == 0
    assert "left out    1 not an image" in done.out
    manifest = json.loads(Path("data/x/manifest.json").read_text())
    assert len(manifest["images"]) == 20
    assert manifest["rejected"][0]["source"].endswith("broken.jpg")


def test_a_decompression_bomb_is_reported_without_a_warning_of_pillow(
    command: Command, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_png(class_folders / "dark" / "large.png", np.zeros((40, 40, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done = command(
            "create_train_val_test", "dataset=folder", "dataset.name=x", f"dataset.source={class_folders}"
        )
    assert "1 decompression bomb" in done.out
    assert [str(warning.message) for warning in caught if "Image size" in str(warning.message)] == []


def test_stage_1_refuses_a_class_without_readable_images(command: Command, class_folders: Path) -> None:
    (class_folders / "third").mkdir()
    (class_folders / "third" / "broken.jpg").write_bytes(b"not a photograph")
    prepare = ["dataset=folder", "dataset.name=x", f"dataset.source={class_folders}"]
    is_one_line(command("create_train_val_test", *prepare), "'third' has no usable image", "broken.jpg")


def test_a_root_that_cannot_be_written_is_an_error_of_one_line(command: Command, class_folders: Path) -> None:
    Path("taken").write_text("a file where a folder should be")
    prepare = ["dataset=folder", "dataset.name=x", f"dataset.source={class_folders}", "dataset.root=taken"]
    is_one_line(command("create_train_val_test", *prepare), "taken is a file: expected a folder")


def test_stage_1_overwrites_only_with_overwrite_true(command: Command, class_folders: Path) -> None:
    prepare = ["dataset=folder", "dataset.name=x", f"dataset.source={class_folders}"]
    assert command("create_train_val_test", *prepare).status == 0
    manifest = Path("data/x/manifest.json")
    before = manifest.read_bytes(), manifest.stat().st_mtime_ns
    assert "already exists" in command("create_train_val_test", *prepare).out
    other = [*prepare, "split.seed=1"]
    is_one_line(command("create_train_val_test", *other), "split.seed was 0 and is now 1", "overwrite=true")
    assert (manifest.read_bytes(), manifest.stat().st_mtime_ns) == before
    assert command("create_train_val_test", *other, "overwrite=true").status == 0
    assert manifest.read_bytes() != before[0]
    Path("data/mine").mkdir()
    prepare[1] = "dataset.name=mine"
    is_one_line(command("create_train_val_test", *prepare, "overwrite=true"), "was not made by convscope")


def test_stage_2(command: Command, run_directory: Path) -> None:
    two = ["dataset=folder", "dataset.name=two"]
    is_one_line(command("train", "dataset=folder", "dataset.name=tow"), "no data set at", "contains: two")
    is_one_line(command("train", "dataset=two"), "no dataset 'two'", "dataset=folder dataset.name=two")
    is_one_line(command("train", *two, *TINY, f"hydra.run.dir={run_directory}"), "overwrite=true")
    is_one_line(command("train", *two, "model=resnet"), "no model 'resnet'", "inception_v3")
    missing = ["model=keras_application", "model.application=MobileNet", "model.weights=none.weights.h5"]
    is_one_line(command("train", *two, *missing), "no weights at none.weights.h5")
    assert not list(Path("outputs").glob("*/*"))  # no empty run directories
    dropout = command("train", *two, "model.droput=0.1")
    is_one_line(dropout, "'model.droput'", "did you mean model.dropout")


def test_a_photograph_damaged_after_the_split_is_named(command: Command, run_directory: Path) -> None:
    damaged = sorted(Path("data/two/train/dark").iterdir())[0]
    damaged.unlink()  # it may be a hard link to the photograph itself
    damaged.write_bytes(b"damaged")
    outcome = command("train", "dataset=folder", "dataset.name=two", *TINY, "hydra.run.dir=again")
    is_one_line(outcome, f"cannot read {damaged}")


def test_stage_3(command: Command, run_directory: Path) -> None:
    draw = [f"checkpoint={run_directory}", "views=[class_activation]", "hydra.run.dir=drawn"]
    photo = run_directory.parent / "photos" / "dark" / "1.png"
    is_one_line(command("visualize", "hydra.run.dir=drawn"), "no training run under outputs")
    is_one_line(command("visualize", "checkpoint=nowhere"), "no checkpoint at nowhere")
    is_one_line(command("visualize", *draw, "images=nothing.jpg"), "no image at nothing.jpg")
    Path("broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photograph")
    is_one_line(command("visualize", *draw, "images=broken.jpg"), "cannot read broken.jpg")
    given = [*draw, f"images={photo}"]
    is_one_line(command("visualize", *given, "class_activation.classes=dusk"), "no class 'dusk'", "dark")
    is_one_line(command("visualize", *given, "class_activation.layer=conv2d_7"), "no layer 'conv2d_7'")
    is_one_line(command("visualize", *given, "class_activation.layer=dense"), "dense", "no feature maps")
    is_one_line(
        command("visualize", *given, "views=[filters]", "filters.layers=[conv3d]"), "no layer 'conv3d'"
    )
    is_one_line(command("visualize", *given, "views=[pictures]"), "no view 'pictures'", "class_activation")
    is_one_line(
        command("visualize", *given, "class_activation.color_map=jett"), "no colour map 'jett'", "jet"
    )
    for wrong, part in (
        ("activations.canvas=300", "activations.canvas=300 is out of range"),
        ("activations.channel_canvas=400", "expected [width,height]"),
        ("activations.file='{lyer}.png'", "unknown placeholder {lyer}; expected {photograph}, {layer}"),
        ("class_activation.heatmap_file='../{class}.png'", "expected a path below the run directory"),
        ("filters.file='{layer}.gif'", "expected a name that ends in .png or .jpg"),
    ):
        is_one_line(command("visualize", *given, wrong), part)
    assert not Path("drawn").exists()
    contract = json.loads((run_directory / "model.json").read_text()) | {"input_size": [40, 40]}
    (run_directory / "model.json").write_text(json.dumps(contract))
    is_one_line(command("visualize", *given), "input does not fit")


def test_an_unexpected_error_asks_for_a_report(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_module, "prepare", lambda _: 1 / 0)
    outcome = command("create_train_val_test")
    is_one_line(
        outcome, "ZeroDivisionError: division by zero (internal error; please report it", "debug=true"
    )
    outcome = command("create_train_val_test", "debug=true")
    assert "Traceback" in outcome.err
    assert outcome.err.rstrip().endswith("(internal error; please report it)")


def test_debug_shows_the_traceback(command: Command) -> None:
    outcome = command("train", "dataset=folder", "dataset.name=none", "debug=true")
    assert outcome.status == 1
    assert "Traceback" in outcome.err
    assert outcome.err.strip().splitlines()[-1].startswith("error: no data set at")


NAMES = [
    "photo (1).png",
    "a=b.png",
    "it's.png",
    "grün.png",
    "花.png",
    "#1 50%.png",
    "sub/photo (1).png",
    "&<b>.png",
]


def test_photographs_of_every_name_are_drawn(command: Command, run_directory: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    for name in NAMES:
        save_png(Path("mine") / name, pixels)
    Path("list.txt").write_text("".join(f"{Path('mine') / name}\n" for name in NAMES))
    for pattern in ("mine", "@list.txt", "mine/**"):
        assert set(image_paths.find([pattern])) == {Path("mine") / name for name in NAMES}
    given = ["views=[activations,class_activation]", "images=mine/**", "hydra.run.dir=drawn"]
    outcome = command("visualize", f"checkpoint={run_directory}", *given)
    assert outcome.status == 0, outcome.err
    assert Path("drawn/index.html").is_file()
    drawn = {path.name for path in Path("drawn/activations").iterdir() if path.is_dir()}
    assert drawn == {"photo (1)", "photo (1)-2", "a=b", "it's", "grün", "花", "#1 50%", "&_b_"}
    one = ["images=[mine/photo (1).png,mine/a=b.png]", "hydra.run.dir=two", "views=[class_activation]"]
    assert command("visualize", f"checkpoint={run_directory}", *one).status == 0
    assert len(list(Path("two/class_activation").glob("*/*_overlay.png"))) == 2


def test_a_page_is_overwritten_only_with_overwrite_true(command: Command, run_directory: Path) -> None:
    draw = [f"checkpoint={run_directory}", "views=[class_activation]", "hydra.run.dir=drawn"]
    assert command("visualize", *draw).status == 0
    Path("drawn/notes.txt").write_text("mine")
    is_one_line(command("visualize", *draw), "already has a page", "overwrite=true")
    photo = run_directory.parent / "photos" / "light" / "2.png"
    assert command("visualize", *draw, "overwrite=true", f"images={photo}").status == 0
    pictures = {path.parent.name for path in Path("drawn/class_activation").rglob("*.png")}
    assert pictures == {"2"}
    assert Path("drawn/notes.txt").read_text() == "mine"


def test_a_photograph_of_the_data_set_is_recognized_by_its_bytes(
    command: Command, run_directory: Path
) -> None:
    original = run_directory.parent / "photos" / "light" / "3.png"
    Path("renamed.png").write_bytes(original.read_bytes())
    draw = [f"checkpoint={run_directory}", "views=[class_activation]", "hydra.run.dir=drawn"]
    assert command("visualize", *draw, "images=renamed.png").status == 0
    assert "True class: <b>light</b>" in Path("drawn/index.html").read_text()
