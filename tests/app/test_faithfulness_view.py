"""The faithfulness view, by the real command, on a network whose evidence is known: a coloured square."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.app.visualize.views.faithfulness.measuring import Measuring
from convscope.app.visualize.views.faithfulness.samples import Samples
from convscope.config.schema.views.class_activation import ClassActivationConfig
from convscope.data.manifest import ImageRecord, Manifest, manifest_hash
from convscope.graph import flatten
from convscope.images import load_png, save_png
from convscope.models.bundle import Contract, save_model
from convscope.preprocessing import by_name
from convscope.vis.class_activation.cut_model import CutModel
from convscope.vis.class_activation.methods import METHODS, Method
from convscope.vis.layer_selection import last_maps
from tests.conftest import Outcome, files_on_page

Command = Callable[..., Outcome]
CLASSES = ["blue", "green", "red"]
SIDE = 16
DRAW = ["checkpoint=run", "views=[faithfulness]", "splits=[test]", "hydra.run.dir=out"]


def model() -> keras.Model:
    """Count the pixels in which one colour is stronger than the sum of the other two."""
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(3, 1, activation="relu", name="colours")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    result = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", use_bias=False)(x))
    kernel = (2 * np.eye(3) - 1)[:, ::-1].astype(np.float32)  # the channels are blue, green, red
    result.set_weights([kernel[None, None], np.zeros(3, np.float32), 60 * np.eye(3, dtype=np.float32)])
    return result


@pytest.fixture
def run(command: Command) -> None:
    """A data set of grey pictures with a square in the colour of their class, and a run on it."""
    rng, root = np.random.default_rng(0), Path("data").resolve()
    records = []
    for index in range(24):
        label = CLASSES[index % 3]
        pixels = rng.integers(60, 80, (SIDE, SIDE, 1)).repeat(3, axis=2).astype(np.uint8)
        row, column = rng.integers(0, SIDE - 6, 2)
        pixels[row : row + 6, column : column + 6] = 230 * np.eye(3)[2 - index % 3]
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[row : row + 6, column : column + 6] = 255
        path = f"test/{label}/{index}.png"
        save_png(root / path, pixels)
        save_png(root / f"masks/{path}", mask)
        records.append(ImageRecord(path, "test", label, mask=f"masks/{path}"))
    Manifest("squares", CLASSES[::-1], {}, records).write(root)  # the model has another order
    Path("run").mkdir()
    save_model(model(), Path("run"))
    dataset = {"name": "squares", "path": str(root), "manifest_sha256": manifest_hash(root)}
    Contract("by hand", CLASSES, (SIDE, SIDE), by_name("unit_range"), dataset).write(Path("run"))


def table(name: str) -> list[dict[str, str]]:
    with Path(f"out/faithfulness/{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("run")
def test_a_method_that_shows_the_evidence_wins_and_the_controls_do_not(command: Command) -> None:
    done = command("visualize", *DRAW, "faithfulness.methods=[grad_cam,eigen_cam]", "faithfulness.limit=12")
    assert done.status == 0, done.err
    rows = {(row["method"], row["measure"]): row for row in table("faithfulness")}
    of = {key: float(row["mean"]) for key, row in rows.items()}
    for measure in ("pointing", "relevance_mass", "relevance_rank", "grid_pointing"):
        assert of["grad_cam", measure] == pytest.approx(1, abs=0.01)
        chance = 0.25 if measure == "grid_pointing" else 36 / SIDE**2
        assert float(rows["random", measure]["chance"]) == pytest.approx(chance, abs=1e-4)
        if measure != "pointing":  # 0 or 1: with 12 images, all may be 0
            assert float(rows["random", measure]["low"]) <= chance <= float(rows["random", measure]["high"])
    for measure in ("single_deletion", "road", "insertion"):
        assert float(rows["grad_cam", measure]["low"]) > float(rows["random", measure]["high"])
    assert of["grad_cam", "deletion"] < of["random", "deletion"]
    assert {row["images"] for row in rows.values()} == {"12"}
    assert ("random", "emprt") not in rows

    stages = [row for row in table("randomisation") if row["method"] == "grad_cam"]
    assert [(row["order"], row["layers"], row["of"]) for row in stages] == [
        (order, layers, "2") for order in ("top_down", "bottom_up") for layers in ("1", "2")
    ]
    assert load_png(Path("out/faithfulness/randomisation_top_down.png")).std() > 10
    shown = files_on_page()["faithfulness/faithfulness.csv"]["data"]
    assert "Grid pointing ↑" in shown["columns"]
    assert "Centred Gaussian" in [row[0] for row in shown["rows"]]
    files = [entry["path"] for entry in json.loads(Path("out/manifest.json").read_text("utf-8"))["files"]]
    assert "faithfulness/faithfulness.png" in files


def test_a_model_for_pictures_of_any_size_is_measured_like_one_for_a_fixed_size() -> None:
    fixed = model()
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(3, 1, activation="relu", name="colours")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    flexible = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", use_bias=False)(x))
    flexible.set_weights(fixed.get_weights())
    pictures = np.random.default_rng(0).uniform(0, 1, (2, SIDE, SIDE, 3)).astype(np.float32)
    samples = Samples([Path("a"), Path("b")], pictures, np.eye(3)[:2], np.arange(2), [None, None], 3)
    expected, values = (
        Measuring(
            graph.model,
            [last_maps(graph.layers)],
            ["grad_cam"],
            samples=samples,
            shown=ClassActivationConfig(),
            seed=0,
        ).measure_maps(["single_deletion", "road"])
        for graph in map(flatten, (fixed, flexible))
    )
    assert values.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(values[key], value, rtol=1e-5, atol=1e-6)
    assert (values["grad_cam", "single_deletion"] > 0.5).all()


def brightness(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a map that does not depend on the network."""
    return inputs.sum(axis=-1).astype(np.float64), cut.logits(inputs)


@pytest.mark.usefixtures("run")
def test_a_method_whose_map_does_not_change_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "brightness", Method("Brightness", brightness, at_input=True))
    given = ["faithfulness.methods=[brightness,grad_cam]", "faithfulness.measures=[randomisation]"]
    done = command("visualize", *DRAW, *given, "faithfulness.limit=4")
    assert done.status == 0, done.err
    assert "note: the maps of Brightness do not change when all layers are random" in done.out
    captions = [file.get("caption", "") for file in files_on_page().values()]
    assert any(caption.endswith("The maps of Brightness do not change.") for caption in captions)
    means = {(row["method"], row["order"], row["layers"]): row["spearman"] for row in table("randomisation")}
    assert means["brightness", "top_down", "2"] == "1.0000"
    assert float(means["grad_cam", "top_down", "2"]) < 0.9


@pytest.mark.usefixtures("run")
def test_photographs_without_masks_or_classes_are_measured(command: Command) -> None:
    given = [*DRAW[:2], "splits=[data/test]", "hydra.run.dir=out", "faithfulness.methods=[hires_cam]"]
    chosen = "faithfulness.measures=[relevance_mass,grid_pointing]"
    Path("data").rename("moved")
    Path("data").mkdir()
    Path("moved/test").rename("data/test")
    done = command("visualize", *given, chosen)
    assert done.status == 0, done.err
    assert "note: no relevance_mass, because no image has a mask" in done.out
    rows = table("faithfulness")
    assert [row["measure"] for row in rows] == ["grid_pointing"] * 3
    assert float(rows[0]["mean"]) == pytest.approx(1, abs=0.01)
    done = command("visualize", *given[:2], "splits=[data/test/red]", "hydra.run.dir=b", chosen)
    assert done.status == 1
    assert "these images have neither masks nor confident" in done.err.strip().splitlines()[-1]
    assert not Path("b").exists()


@pytest.mark.usefixtures("run")
def test_masks_of_images_that_are_classified_wrongly_are_not_used(command: Command) -> None:
    """The network calls blue squares green, and green ones blue: only red ones are classified correctly."""
    network = model()
    *colours, head = network.get_weights()
    network.set_weights([*colours, head[[1, 0, 2]]])
    save_model(network, Path("run"))
    given = ["faithfulness.methods=[grad_cam]", "faithfulness.measures=[relevance_mass,single_deletion]"]
    done = command("visualize", *DRAW, *given, "faithfulness.limit=24")
    assert done.status == 0, done.err
    images = {row["measure"]: row["images"] for row in table("faithfulness") if row["method"] == "grad_cam"}
    assert images == {"relevance_mass": "8", "single_deletion": "24"}


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("faithfulness.methods=[gradcam]", "no faithfulness.methods 'gradcam': did you mean grad_cam"),
        ("faithfulness.measures=[roads]", "no faithfulness.measures 'roads': did you mean road"),
        ("faithfulness.limit=201", "faithfulness.limit=201 is out of range: expected at least 1"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(command: Command, given: str, said: str) -> None:
    done = command("visualize", *DRAW, given)
    assert done.status == 1
    assert said in done.err.strip().splitlines()[-1]
    assert not Path("out").exists()
