"""The classes view, by the real command, on a network whose logits are known: the amounts of two colours."""

import csv
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

import convscope
from convscope.data.manifest import ImageRecord, Manifest, manifest_hash
from convscope.images import load_png, save_png
from convscope.models.bundle import Contract, save_model
from convscope.preprocessing import by_name
from convscope.render.class_sheet import GAP
from convscope.render.mosaic import HEADER, MARGIN
from tests.conftest import Outcome, files_on_page

Command = Callable[..., Outcome]
SIDE = 16
SIZE = 2 * SIDE  # of a picture by MACO
DRAW = ["checkpoint=run", "views=[classes]", "classes.steps=12", "classes.count=2", "hydra.run.dir=out"]


def save_run(names: list[str], units: int, activation: str, dataset: dict[str, str] | None = None) -> None:
    """Write a run of a network: its logits are -1 plus 8 times the mean red, and blue minus red."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 1)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(units, activation)(x))
    weights = np.zeros((3, units), np.float32)
    weights[0, 0] = 8
    if units > 1:
        weights[:, 1] = (-8, 0, 8)
    kernel = np.eye(3, dtype=np.float32)[None, None]
    model.set_weights([kernel, np.zeros(3, np.float32), weights, np.full(units, -1, np.float32)])
    Path("run").mkdir()
    save_model(model, Path("run"))
    Contract("by hand", names, (SIDE, SIDE), by_name("unit_range"), dataset or {}).write(Path("run"))


def rows() -> list[dict[str, str]]:
    with Path("out/classes/classes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def drawn(name: str, size: int, number: int) -> np.ndarray:
    """Return a picture of the second row of a sheet: the whole picture."""
    sheet = load_png(Path(f"out/classes/{name}.png"))
    top, left = HEADER + size + GAP, MARGIN + number * (size + GAP)
    return sheet[top : top + size, left : left + size]


def test_the_numbers_are_those_of_the_saved_pixels(command: Command) -> None:
    root = Path("data").resolve()
    records = []
    for index, red in enumerate((10, 200, 90)):
        path = f"train/red/{index}.png"
        save_png(root / path, np.full((20, 20, 3), (red, 100, 50), np.uint8))
        records.append(ImageRecord(path, "train", "red"))
    Manifest("colours", ["red", "blue"], {}, records).write(root)
    dataset = {"name": "colours", "path": str(root), "manifest_sha256": manifest_hash(root)}
    save_run(["red", "blue"], 2, "softmax", dataset)

    done = command("visualize", *DRAW, "classes.classes=[1,red,blue]")
    assert done.status == 0, done.err
    table = rows()
    assert [(row["class"], row["number"]) for row in table] == [
        ("blue", "0"), ("blue", "1"), ("red", "0"), ("red", "1"),
    ]  # fmt: skip
    model = convscope.open_model("run")
    for row in table:
        picture = drawn(row["class"], SIZE, int(row["number"]))
        (probabilities,) = model.predict(picture)
        of_class = probabilities[model.class_names.index(row["class"])]
        assert float(row["probability"]) == pytest.approx(float(of_class), abs=1e-5)
        resized = picture.reshape(SIDE, 2, SIDE, 2, 3).mean((1, 3)).mean((0, 1)) / 255
        logit = 8 * resized[0] - 1 if row["class"] == "red" else 8 * (resized[2] - resized[0]) - 1
        assert float(row["logit"]) == pytest.approx(logit, abs=0.02)
    assert float(table[2]["highest_logit_of_photographs"]) == pytest.approx(8 * 200 / 255 - 1, abs=1e-3)
    assert {row["photographs"] for row in table} == {"3"}
    caption = files_on_page()["classes/red.png"]["caption"]
    assert "resized to 16×16; the highest logit of this class for 3 photographs is 5.3" in caption
    assert "spectrum: fit to ImageNet" in caption  # three images are too few

    first = Path("out/classes/red.png").read_bytes()
    done = command("visualize", *DRAW, "classes.classes=[red]", "overwrite=true")
    assert done.status == 0, done.err
    assert Path("out/classes/red.png").read_bytes() == first  # not even the other classes matter


def test_a_single_sigmoid_unit_gives_both_classes(command: Command) -> None:
    save_run(["grey", "red"], 1, "sigmoid")
    done = command("visualize", *DRAW, "classes.method=fourier", "classes.steps=24")
    assert done.status == 0, done.err
    table = rows()
    assert [row["class"] for row in table] == ["grey", "grey", "red", "red"]
    amounts = [drawn(row["class"], SIDE, int(row["number"]))[..., 0].mean() / 255 for row in table]
    for row, red in zip(table, amounts, strict=True):
        sign = 1 if row["class"] == "red" else -1
        assert float(row["logit"]) == pytest.approx(sign * (8 * red - 1), abs=1e-3)
        assert float(row["probability"]) == pytest.approx(1 / (1 + np.exp(-float(row["logit"]))), abs=1e-5)
        assert row["highest_logit_of_photographs"] == ""
    assert max(amounts[:2]) < min(amounts[2:])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("classes.classes=[gren]", "no class 'gren': did you mean green?"),
        ("classes.classes=[12]", "no class '12'"),
        ("classes.method=mako", "no classes.method 'mako': did you mean maco"),
        ("classes.count=0", "classes.count=0 is out of range"),
        (
            "seed=1",
            "the model has 12 classes, and there are no photographs to predict some for: set classes.",
        ),
    ],
)
def test_wrong_classes_are_refused_in_one_line(command: Command, given: str, said: str) -> None:
    save_run(["green", *(f"other {number}" for number in range(11))], 12, "softmax")
    done = command("visualize", *DRAW, given)
    assert done.status == 1
    assert said in done.err.strip().splitlines()[-1]
    assert not Path("out").exists()


def test_of_many_classes_those_of_the_photographs_are_drawn(command: Command) -> None:
    save_run([f"class {number}" for number in range(12)], 12, "softmax")
    save_png(Path("photos/blue.png"), np.full((20, 20, 3), (0, 0, 250), np.uint8))
    save_png(Path("photos/red.png"), np.full((20, 20, 3), (250, 0, 0), np.uint8))
    done = command("visualize", *DRAW, "images=[photos]", "classes.steps=2")
    assert done.status == 0, done.err
    assert [row["class"] for row in rows()] == ["class 1", "class 1", "class 0", "class 0"]
