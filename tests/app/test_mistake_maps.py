"""Class activation of mistakes: which photographs, and the maps that the view draws for them elsewhere."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convscope.app.visualize.training_results import Prediction
from convscope.app.visualize.views import class_activation_mistakes
from convscope.app.visualize.views.class_activation_mistakes import in_rounds
from convscope.images import jpeg_bytes, load_png
from convscope.render.heat import HeatScale
from tests.conftest import Outcome, files_on_page

Command = Callable[..., Outcome]
FOLDER = "class_activation/mistakes"


def test_each_cell_gives_its_most_certain_mistake_before_any_gives_a_second() -> None:
    found = [
        Prediction("a", "dark", "light", 0.6),
        Prediction("b", "dark", "light", 0.9),
        Prediction("c", "dark", "light", 0.8),
        Prediction("d", "light", "dark", 0.7),
        Prediction("e", "dark", "dark", 0.99),
    ]
    assert [one.path for one in in_rounds(found, 2)] == ["b", "d", "c"]
    assert in_rounds(found, 0) == []


@pytest.fixture
def mistaken(trained_folder: Path, tmp_path: Path) -> list[Path]:
    """A run `run` whose predictions list two mistakes as dark and one as light; their photographs."""
    shutil.copytree(trained_folder / "donor", tmp_path / "run")
    test = trained_folder / "data/two/test"
    dark, light = (sorted((test / name).iterdir()) for name in ("dark", "light"))
    rows = [
        ("dark", "light", dark[0], "0.2,0.8"),
        ("dark", "light", dark[1], "0.1,0.9"),
        ("light", "dark", light[0], "0.7,0.3"),
    ]
    lines = [f"test,data/two/test/{true}/{path.name},{true},{wrong},{p}" for true, wrong, path, p in rows]
    text = "\n".join(["split,path,true,predicted,dark,light", *lines])
    (tmp_path / "run/predictions.csv").write_text(text + "\n", "utf-8")
    return [dark[0], dark[1], light[0]]


def test_the_maps_of_a_mistake_are_those_of_class_activation(command: Command, mistaken: list[Path]) -> None:
    given = ["checkpoint=run", f"images={mistaken[1]}", "views=[class_activation]", "hydra.run.dir=out"]
    done = command("visualize", *given, "class_activation.classes=[dark,light]")
    assert done.status == 0, done.err
    drawn = {path: one for path, one in files_on_page().items() if path.startswith(FOLDER)}
    photographs = {path: Path(one["data"]["photograph"]).name for path, one in drawn.items()}
    assert photographs == {
        f"{FOLDER}/dark_predicted_light_1.jpg": mistaken[1].name,
        f"{FOLDER}/dark_predicted_light_2.jpg": mistaken[0].name,
        f"{FOLDER}/light_predicted_dark_1.jpg": mistaken[2].name,
    }
    (folder,) = Path("out/class_activation").glob("[!m]*")
    heats = [np.load(folder / f"{name}.npy") for name in ("light", "dark")]  # predicted, true
    scale = HeatScale.of(np.stack(heats), "inferno")
    pixels = load_png(mistaken[1])
    expected = np.concatenate([pixels, *(scale.paint(heat, pixels, 0.7)[1] for heat in heats)], axis=1)
    picture = drawn[f"{FOLDER}/dark_predicted_light_1.jpg"]
    Path("expected.jpg").write_bytes(jpeg_bytes(expected))
    np.testing.assert_array_equal(load_png(Path("out", picture["path"])), load_png(Path("expected.jpg")))
    assert f"Maximum for light: {heats[0].max():.3g}, for dark: {heats[1].max():.3g}" in picture["caption"]


def test_what_would_take_long_is_left_out_with_a_note(
    command: Command, mistaken: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(class_activation_mistakes, "WORK", 0)
    given = ["checkpoint=run", f"images={mistaken[0]}", "views=[class_activation]", "hydra.run.dir=out"]
    done = command("visualize", *given, "class_activation.mistakes=1")
    assert done.status == 0, done.err
    assert "note: class activation of 1 of 2 mistakes, because more would take long" in done.out
    assert [path.name for path in Path("out", FOLDER).iterdir()] == ["dark_predicted_light_1.jpg"]
