"""Networks that can only use planted evidence: they do use it, and the default methods show it."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.data.planted_evidence import CLASSES, draw_planted
from convscope.graph import flatten
from convscope.images import enlarge
from convscope.models.opening import open_checkpoint
from convscope.models.reading import Reading
from convscope.vis.class_activation.methods import ClassActivation
from convscope.vis.class_activation.targets import of_class
from convscope.vis.faithfulness.intervals import Interval, bootstrap
from convscope.vis.faithfulness.localisation import positive_share
from convscope.vis.layer_selection import last_maps
from tests.conftest import Outcome

SHOWN = ["grad_cam", "hires_cam"]  # the methods that are shown by default
THREE = ("daisy", "rose", "tulip")


def pictures(
    evidence: str, count: int, *, size: int, seed: int, removed: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures, float32 from 0 to 1, their classes among `THREE`, and their masks."""
    labels = np.arange(count) % 3
    drawn = [
        draw_planted(
            evidence, THREE[label], THREE, size=size, seed=(seed, i), difficulty=0.2, removed=removed
        )
        for i, label in enumerate(labels)
    ]
    pixels = np.stack([picture.pixels for picture in drawn]).astype(np.float32) / 255
    return pixels, labels, np.stack([picture.mask > 0 for picture in drawn])


def accuracy(model: keras.Model, inputs: np.ndarray, labels: np.ndarray) -> Interval:
    predicted = model.predict(inputs, batch_size=32, verbose=0).argmax(axis=1)
    interval = bootstrap((predicted == labels).astype(float), 0)
    assert interval
    return interval


def check_that_the_evidence_is_used(model: keras.Model, evidence: str, size: int, least: float) -> None:
    """Check that the accuracy on new pictures is high, and that it is chance without the evidence."""
    shown, labels, _ = pictures(evidence, 120, size=size, seed=1)
    hidden, _, _ = pictures(evidence, 120, size=size, seed=1, removed=True)
    assert accuracy(model, shown, labels).low > least
    without = accuracy(model, hidden, labels)
    assert without.low <= 1 / 3 <= without.high


@pytest.fixture(scope="module")
def watermark_network() -> keras.Model:
    """A small network with average pooling, trained on watermarks of three classes."""
    inputs, labels, _ = pictures("watermark", 300, size=32, seed=0)
    keras.utils.set_random_seed(0)
    x = start = keras.Input((32, 32, 3))
    for width in (16, 32, 48):
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.8)(x))
        x = keras.layers.MaxPooling2D()(x) if width < 48 else keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(start, keras.layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(inputs, labels, batch_size=32, epochs=14, verbose=0)
    return model


def test_a_network_uses_a_watermark(watermark_network: keras.Model) -> None:
    check_that_the_evidence_is_used(watermark_network, "watermark", 32, least=0.85)


@pytest.mark.parametrize("method", SHOWN)
def test_the_default_methods_show_a_watermark(watermark_network: keras.Model, method: str) -> None:
    """The energy in the watermark is above its share of the picture, which is 6 %."""
    inputs, labels, masks = pictures("watermark", 60, size=32, seed=1)
    graph = flatten(watermark_network)
    activation = ClassActivation(graph.model, [last_maps(graph.layers)], method)
    heatmaps = activation(inputs, np.stack([of_class(int(label), 3) for label in labels]))
    energy = [
        positive_share(enlarge(heatmap.heat, 32, 32), mask)
        for heatmap, mask in zip(heatmaps, masks, strict=True)
    ]
    above = bootstrap(np.array(energy) - masks.mean(axis=(1, 2)), 0)
    assert above
    assert above.low > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("evidence", sorted(CLASSES))
def test_a_trained_run_uses_the_evidence_and_the_default_methods_show_it(
    command: Callable[..., Outcome], evidence: str
) -> None:
    """By the three commands, with the head of the book: a dense layer over all positions."""
    data = [f"dataset.classes=[{','.join(THREE)}]", f"dataset.evidence={evidence}", "dataset.difficulty=0.2"]
    sizes = ["dataset.image_size=48", "dataset.images_per_class=600"]
    done = command("create_train_val_test", "dataset=procedural", *data, *sizes)
    assert done.status == 0, done.err
    network = ["model.input_size=48", "model.widths=[16,32,48]", "model.units=32"]
    network += ["model.batch_normalization=true", "augmentation=none", "augmentation.delete_cell=0.5"]
    training = ["training.epochs=16", "training.precision=float32", "hydra.run.dir=run"]
    done = command("train", "dataset=procedural", *network, *training)
    assert done.status == 0, done.err
    model = open_checkpoint(Path("run"), Reading()).model
    check_that_the_evidence_is_used(model, evidence, 48, least=0.75)

    given = [f"faithfulness.methods=[{','.join(SHOWN)}]", "faithfulness.measures=[relevance_mass,pointing]"]
    done = command(
        "visualize", "checkpoint=run", "views=[faithfulness]", "splits=[test]", *given, "hydra.run.dir=out"
    )
    assert done.status == 0, done.err
    with Path("out/faithfulness/faithfulness.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] in SHOWN]
    assert len(rows) == 4
    for row in rows:
        assert float(row["low"]) > float(row["chance"]), row


@pytest.mark.slow
def test_on_real_flowers_the_default_method_wins_the_grid_pointing_game_and_cats_are_unlike(
    command: Callable[..., Outcome], shared: Path
) -> None:
    """A head on EfficientNet-Lite0, trained on 80 photographs of each class."""
    for folder in sorted((shared / "data/flowers").iterdir()):
        Path("photos", folder.name).mkdir(parents=True)
        for photograph in sorted(folder.iterdir())[:80]:
            shutil.copy(photograph, Path("photos", folder.name))
    trunk = shared / "weights/efficientnet_lite0_imagenet.keras"
    for given in (
        ["create_train_val_test", "dataset=folder", "dataset.name=flowers", "dataset.source=photos"],
        [
            "train", "experiment=flowers_transfer", f"model.file={trunk}", "training.epochs=0",
            "hydra.run.dir=run",
        ],
        [
            "visualize", "checkpoint=run", "views=[faithfulness]", "splits=[test,validation]",
            "faithfulness.methods=[grad_cam]", "faithfulness.measures=[grid_pointing]",
            "hydra.run.dir=out",
        ],
        ["train", "predict=run", "images=data/flowers/test", "hydra.run.dir=flowers"],
        ["train", "predict=run", f"images={shared}/data/cats_vs_dogs/cats/cat.1*", "hydra.run.dir=cats"],
    ):  # fmt: skip
        done = command(*given)
        assert done.status == 0, done.err
    with Path("out/faithfulness/faithfulness.csv").open(newline="") as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert int(rows["grad_cam"]["images"]) > 40
    controls = max(float(rows[name]["high"]) for name in ("random", "gaussian"))
    assert float(rows["grad_cam"]["low"]) > max(controls, 0.5)
    distances = {}
    for name in ("flowers", "cats"):
        with Path(name, "predictions.csv").open(newline="") as file:
            distances[name] = [float(row["distance"]) for row in csv.DictReader(file)]
    assert min(map(len, distances.values())) > 40
    pairs = [flower < cat for flower in distances["flowers"] for cat in distances["cats"]]
    assert np.mean(pairs) > 0.95  # the area below the ROC curve
