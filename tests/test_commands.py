"""The behaviour of the commands that no single stage owns: errors, overwriting, names of files."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.app.prepare import prepare as prepare_module
from convscope.data import image_paths
from convscope.images import save_png
from tests.conftest import ROOT, shown_on_page

Command = Callable[..., object]
TINY = ["model.input_size=24", "model.widths=[3]", "model.units=4", "training.epochs=1", "augmentation=none"]


class ResourceExhaustedError(Exception):
    """An error with the name of one of TensorFlow."""


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


def test_a_photograph_damaged_after_the_split_is_named(command: Command, run_directory: Path) -> None:
    damaged = sorted(Path("data/two/train/dark").iterdir())[0]
    damaged.unlink()  # it may be a hard link to the photograph itself
    damaged.write_bytes(b"damaged")
    outcome = command("train", "dataset=folder", "dataset.name=two", *TINY, "hydra.run.dir=again")
    is_one_line(outcome, f"cannot read {damaged}")


def test_an_unexpected_error_asks_for_a_report(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_module, "prepare", lambda _: 1 / 0)
    outcome = command("create_train_val_test")
    is_one_line(
        outcome, "ZeroDivisionError: division by zero (internal error; please report it", "debug=true"
    )
    outcome = command("create_train_val_test", "debug=true")
    assert "Traceback" in outcome.err
    assert outcome.err.rstrip().endswith("(internal error; please report it)")


@pytest.mark.parametrize("error", [MemoryError("unable to allocate 9 TiB"), ResourceExhaustedError("OOM")])
def test_too_little_memory_is_an_error_of_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(prepare_module, "prepare", fail)
    outcome = command("create_train_val_test")
    is_one_line(outcome, f"not enough memory ({error}): choose smaller settings")


def test_class_names_are_printed_on_a_terminal_that_is_not_utf8(class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "dark").rename(class_folders / "grün")
    done = subprocess.run(
        [sys.executable, ROOT / "create_train_val_test.py", "dataset=folder", "dataset.source=photos"],
        cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert b"\ngr\\xfcn " in done.stdout


def test_ctrl_c_during_the_import_of_hydra_gives_no_traceback() -> None:
    probe = (
        "import runpy, sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'hydra': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    for script in ("create_train_val_test", "train", "visualize"):
        done = subprocess.run(
            [sys.executable, "-c", probe, str(ROOT / f"{script}.py")],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr, done.stdout) == (130, "", "")


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
    (photograph,) = shown_on_page("drawn")["photographs"]
    assert photograph["truth"] == "light"
