"""The space of maps and grids on disk, and what is left out if it is limited."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.app.visualize.views.activations.space import Plan, Space, plan
from convscope.images import save_png
from tests.conftest import Outcome, files_on_page

LAYERS = [Space(channels=4, map=1e5, tile=2e5), Space(channels=10, map=1e5, tile=1e5)]  # 1.4 and 1.8 MB


@pytest.mark.parametrize(
    ("megabytes", "expected"),
    [
        (6.4, Plan(grids=2, channels=None, megabytes=6.4)),
        (6.3, Plan(grids=1, channels=None, megabytes=4.6)),
        (4.5, Plan(grids=0, channels=None, megabytes=2.8)),
        (2.7, Plan(grids=0, channels=9, megabytes=2.6)),
        (0.8, Plan(grids=0, channels=2, megabytes=0.8)),
        (0.01, Plan(grids=0, channels=1, megabytes=0.4)),  # the page needs something to show
    ],
)
def test_grids_are_left_out_before_channels(megabytes: float, expected: Plan) -> None:
    found = plan(LAYERS, photographs=2, models=1, megabytes=megabytes)
    assert (found.grids, found.channels) == (expected.grids, expected.channels)
    assert found.megabytes == pytest.approx(expected.megabytes)


def test_several_models_have_maps_but_no_grids() -> None:
    found = plan(LAYERS, photographs=1, models=3, megabytes=5)
    assert (found.channels, found.megabytes) == (None, pytest.approx(4.2))


@pytest.fixture
def drawn(command: Callable[..., Outcome], tmp_path: Path) -> Callable[..., Outcome]:
    """A function that draws three photographs with a tiny network whose activations are layers."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Conv2D(6, 3, name="conv"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.ReLU(name="act"),
        keras.layers.MaxPooling2D(name="pool"),
        keras.layers.GlobalAveragePooling2D(name="mean"),
        keras.layers.Dense(2, name="out"),
    ]
    keras.Sequential([keras.Input((24, 24, 3)), *layers]).save("m.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3)).astype(np.uint8)
    for number, one in enumerate(pixels):
        save_png(tmp_path / f"three/{number}.png", one)
    given = ["checkpoint=m.keras", "preprocessing=unit_range", "class_names=[dark,light]"]
    given += [f"images={tmp_path / 'three'}", "views=[activations]", "hydra.run.dir=out"]
    return lambda *more: command("visualize", *given, *more)


def grids() -> list[str]:
    return [path for path in files_on_page() if path.endswith("act.png")]


def test_grids_of_the_last_photographs_are_left_out_first(drawn: Callable[..., Outcome]) -> None:
    outcome = drawn("activations.max_megabytes=0.016")
    assert outcome.status == 0, outcome.err
    text = (
        "grids of all channels for slides are drawn for the first 1 of 3 photographs: set "
        "activations.max_megabytes above 0.016 for more"
    )
    assert f"note: {text}" in outcome.out.splitlines()
    assert json.loads(Path("out/page.json").read_text())["notes"] == [text]
    assert grids() == ["activations/0/03_act.png"]  # of the whole layer `conv`, as on the page
    assert len(Path("out/activations/summary.csv").read_text().splitlines()) == 1 + 3 * 2  # numbers of all


def test_the_page_has_fewer_channels_but_pictures_that_are_asked_for_are_drawn(
    drawn: Callable[..., Outcome],
) -> None:
    outcome = drawn("activations.max_megabytes=0.004", "activations.channels=true")
    text = "note: the page has the maps of the 2 strongest channels of a layer at most"
    assert text in outcome.out, outcome.out + outcome.err
    assert len(grids()) == 3
    script = Path("out/activations/0/03.js").read_text()
    content = json.loads(script.split("] = ", 1)[1].rstrip(";\n"))
    assert (len(content["kept"]), len(content["mean"])) == (2, 6)
