"""A view that this file defines and registers is drawn, listed and checked like the others."""

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.config.schema.view_config import ViewConfig
from convscope.config.schema.views import VIEWS
from convscope.images import load_png, save_png
from convscope.models.bundle import Contract, save_model
from convscope.options import check_range, option
from convscope.preprocessing import by_name
from convscope.render.artifact import Artifact
from convscope.vis.class_activation.methods import METHODS, at_maps
from tests.conftest import Outcome, files_on_page, shown_on_page
from tests.vis import nets

Command = Callable[..., Outcome]


@dataclass
class BrightnessConfig(ViewConfig):
    """The mean brightness of a photograph, as a grey square for each model."""

    name = "brightness"
    title = "Mean brightness"
    drawn_by = f"{__name__}:Brightness"

    side: int = option(8, "width and height of a square in pixels")
    interrupt: bool = option(False, "press Ctrl-C after the first picture")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("brightness.side", self.side, 1, 64)


class Brightness(View[BrightnessConfig]):
    def __init__(self, run: Run, settings: BrightnessConfig) -> None:
        super().__init__(run, settings)
        self.photographs = run.photographs

    def draw(self) -> Iterator[Artifact]:
        for photograph in self.photographs:
            level = round(float(photograph.resized.mean()))
            shape = (self.settings.side, self.settings.side * len(self.run.models), 3)
            path, title = f"brightness/{photograph.key}.png", f"brightness of {photograph.name}"
            pixels = np.full(shape, level, np.uint8)
            yield self.picture(
                path, pixels, title=title, caption=f"{level}", photograph=photograph, about={"level": level}
            )
            if self.settings.interrupt:
                signal.raise_signal(signal.SIGINT)


@pytest.fixture
def runs(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs, two photographs of brightness 40 and 200, and the view, registered."""
    monkeypatch.setitem(VIEWS, "brightness", BrightnessConfig)
    for name in ("one", "two"):
        Path(name).mkdir()
        save_model(nets.classifier(np.eye(2), "softmax"), Path(name))
        Contract("by hand", ["dark", "light"], (3, 3), by_name("unit_range")).write(Path(name))
    for name, level in (("dim", 40), ("bright", 200)):
        save_png(Path(f"photos/{name}.png"), np.full((6, 5, 3), level, np.uint8))


GIVEN = ["images=[photos]", "views=[brightness]", "brightness.side=4", "hydra.run.dir=out"]


def listed() -> dict[str, dict]:
    manifest = json.loads(Path("out/manifest.json").read_text("utf-8"))
    return {entry["path"]: entry for entry in manifest["files"]}


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(("models", "width"), [(["checkpoint=one"], 4), (["compare=[one,two]"], 8)])
def test_a_new_view_is_drawn_for_one_model_and_for_two(
    command: Command, models: list[str], width: int
) -> None:
    done = command("visualize", *models, *GIVEN)
    assert done.status == 0, done.err
    for name, level in (("dim", 40), ("bright", 200)):
        path = f"brightness/{name}.png"
        np.testing.assert_array_equal(load_png(Path("out", path)), np.full((4, width, 3), level))
        entry = listed()[path]
        assert (entry["view"], entry["level"], entry["seed"]) == ("brightness", level, 0)
        assert entry["photograph"] == f"photos/{name}.png"
        assert len(np.atleast_1d(entry["model_sha256"])) == width // 4
    assert {"key": "brightness", "title": "Mean brightness", "intro": ""} in shown_on_page()["views"]
    assert files_on_page()["brightness/dim.png"]["photograph"] == "dim"


@pytest.mark.usefixtures("runs")
def test_the_options_of_a_new_view_are_checked_and_explained(command: Command) -> None:
    for given, said in (
        ("brightness.side=65", "brightness.side=65 is out of range: expected at least 1 and at most 64"),
        ("brightness.sde=1", "no key 'brightness.sde': did you mean brightness.side"),
        ("views=[brightnes]", "no view 'brightnes': did you mean brightness"),
        ("activations.file=brightness/{layer}.png", "is in the folder of brightness"),
    ):
        views = [] if given.startswith("views") else ["views=[brightness,activations]"]
        done = command("visualize", "checkpoint=one", *GIVEN[:1], *views, given, "hydra.run.dir=out")
        assert done.status == 1
        assert said in done.err.strip().splitlines()[-1]
    shown = " ".join(command("visualize", "--help-all").out.split())
    assert "brightness.side=8 width and height of a square in pixels" in shown


@pytest.mark.usefixtures("runs")
def test_a_view_for_one_model_is_refused_with_several(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BrightnessConfig, "max_models", 1)
    done = command("visualize", "compare=[one,two]", *GIVEN)
    assert done.status == 1
    assert "views=brightness draws one model and compare lists 2" in done.err.strip().splitlines()[-1]
    assert not Path("out").exists()


@pytest.mark.usefixtures("runs")
def test_pictures_of_a_new_view_are_kept_after_an_interrupt(command: Command) -> None:
    done = command("visualize", "checkpoint=one", *GIVEN, "brightness.interrupt=true")
    assert done.status == 130
    assert "shows the pictures drawn so far" in done.err
    assert [path for path in listed() if path.startswith("brightness/")] == ["brightness/bright.png"]
    assert "brightness/bright.png" in files_on_page()
    assert "brightness/dim.png" not in files_on_page()
    done = command("visualize", "checkpoint=one", *GIVEN, "overwrite=true")
    assert done.status == 0, done.err
    assert "brightness/dim.png" in listed()


def channel_sum(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Weigh every channel by 1, whatever the class."""
    return np.ones(maps.shape[-1])


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("models", [["checkpoint=one"], ["compare=[one,two]"]])
def test_a_new_weighting_of_class_activation_is_drawn(
    command: Command, monkeypatch: pytest.MonkeyPatch, models: list[str]
) -> None:
    monkeypatch.setitem(METHODS, "channel_sum", at_maps("Sum of the channels", channel_sum))
    given = ["images=[photos/dim.png]", "views=[class_activation]", "hydra.run.dir=out"]
    done = command("visualize", *models, *given, "class_activation.method=channel_sum")
    assert done.status == 0, done.err
    (entry,) = [entry for path, entry in listed().items() if path.endswith("_overlay.png")]
    # All pixels are (40, 40, 40) / 255: red minus green is 0, blue plus one is 1 + 40 / 255.
    assert entry["value_range"] == pytest.approx([0, 1 + 40 / 255], rel=1e-5)
    assert entry["method"] == "channel_sum"
    assert "Sum of the channels at " in entry["caption"]


@pytest.mark.usefixtures("runs")
def test_several_methods_of_class_activation_have_files_of_their_own(command: Command) -> None:
    given = ["checkpoint=one", "images=[photos/dim.png]", "views=[class_activation]"]
    one = "class_activation.method=hires_cam"
    several = "class_activation.method=[hires_cam,gradient]"
    for options in (
        [one, "hydra.run.dir=single"],
        [several, "class_activation.file={method}/{class}.svg", "hydra.run.dir=out"],
    ):
        done = command("visualize", *given, *options)
        assert done.status == 0, done.err
    (alone,) = Path("single/class_activation/dim").glob("*.npy")
    (array,) = Path("out/class_activation/dim").glob("*_hires_cam.npy")
    assert array.stem == f"{alone.stem}_hires_cam"
    np.testing.assert_array_equal(np.load(array), np.load(alone))
    entries = {path: entry for path, entry in listed().items() if entry.get("method") == "gradient"}
    assert set(entries) == {
        f"class_activation/dim/{alone.stem}_overlay_gradient.png",
        f"class_activation/dim/{alone.stem}_heatmap_gradient.png",
        f"class_activation/dim/{alone.stem}_gradient.npy",
        f"gradient/{alone.stem}.svg",
    }
    assert {entry["title"].partition(", ")[2] for entry in entries.values()} == {"Gradient"}
    assert all("Gradient" in entry["caption"] for path, entry in entries.items() if path.endswith("g"))


@pytest.mark.usefixtures("runs")
def test_several_methods_are_drawn_for_two_models(command: Command) -> None:
    given = ["compare=[one,two]", "images=[photos/dim.png]", "views=[class_activation]", "hydra.run.dir=out"]
    done = command("visualize", *given, "class_activation.method=[hires_cam,grad_cam]")
    assert done.status == 0, done.err
    overlays = {path: entry for path, entry in listed().items() if path.startswith("class_activation/")}
    assert {path.partition("_overlay_")[2] for path in overlays} == {"hires_cam.png", "grad_cam.png"}
    assert all(METHODS[entry["method"]].title in entry["caption"] for entry in overlays.values())
