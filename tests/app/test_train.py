import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.conftest import Outcome

Command = Callable[..., Outcome]
TINY = ["model.input_size=32", "training.epochs=1", "augmentation=none", "dataset=folder", "dataset.name=two"]
NET = ["model.widths=[4]", "model.units=4"]


@pytest.fixture
def two(command: Command, class_folders: Path) -> None:
    """A data set of two classes in `data/two`."""
    done = command(
        "create_train_val_test", "dataset=folder", "dataset.name=two", f"dataset.source={class_folders}"
    )
    assert done.status == 0, done.err


def trained(command: Command, *arguments: str, run: str = "run") -> keras.Model:
    outcome = command("train", *TINY, *arguments, f"hydra.run.dir={run}")
    assert outcome.status == 0, outcome.err
    return keras.saving.load_model(f"{run}/model.keras")


@pytest.mark.usefixtures("two")
def test_one_sigmoid_unit_learns_and_is_drawn(command: Command) -> None:
    model = trained(
        command, *NET, "model.output=sigmoid", "training.epochs=40", "training.learning_rate=0.01"
    )
    assert model.output_shape == (None, 1)
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert metrics["test"]["accuracy"] == 1  # dark and light, which the second class' probability must tell
    assert metrics["test"]["loss"] < 0.5
    assert command("visualize", "checkpoint=run", "filters.limit=1", "filters.steps=1").status == 0


@pytest.mark.usefixtures("two")
def test_an_application_of_keras_brings_its_own_size_and_preprocessing(command: Command) -> None:
    arguments = ["model=keras_application", "model.application=MobileNetV3Small", "model.weights=null"]
    trained(command, *arguments, "model.trainable=head")
    contract = json.loads(Path("run/model.json").read_text())
    assert contract["preprocessing"]["name"] == "none"
    assert contract["model"] == "mobile_net_v3_small"


@pytest.mark.usefixtures("two")
def test_a_run_is_a_trunk_for_the_next_and_what_is_frozen_stays(command: Command) -> None:
    donor = trained(command, *NET, run="donor")
    model = trained(command, "model=pretrained_file", "model.file=donor/model.keras", "model.trainable=head")
    assert json.loads(Path("run/model.json").read_text())["preprocessing"]["name"] == "unit_range"
    for ours, theirs in zip(
        model.get_layer("conv2d_1").get_weights(), donor.get_layer("conv2d_1").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("engine", ["fast", "keras"])
def test_both_engines_train(command: Command, engine: str) -> None:
    trained(
        command, *NET, "augmentation=flowers", f"augmentation.engine={engine}", "augmentation.fill_mode=wrap"
    )


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=keras_application"], "model.application is not given"),
        (["model=keras_application", "model.application=VGG"], "did you mean VGG"),
        (["model=pretrained_file", "model.file=none.keras"], "preprocessing"),
        (
            ["model=pretrained_file", "model.file=none.keras", "model.preprocessing=none"],
            "no model at none.keras",
        ),
        (["model=pretrained_file", "model.file=x", "model.preprocessing=affine"], "one or three numbers"),
        (
            ["model=keras_application", "model.application=VGG16", "model.weights=null", "model.trainable=x"],
            "'x'",
        ),
        ([*NET, "augmentation.zoom_range=[2,1]"], "expected a fraction, or [lowest, highest]"),
        ([*NET, "dataset.fold=0"], "split.folds=5"),
    ],
)
def test_what_cannot_be_trained_is_one_line(command: Command, arguments: list[str], said: str) -> None:
    outcome = command("train", *TINY, *arguments, "hydra.run.dir=run")
    assert outcome.status == 1
    assert outcome.err.strip().splitlines()[-1].startswith("error: ")
    assert said in outcome.err.strip().splitlines()[-1]
