"""The three stages from Python."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra

import convscope
from convscope import invocation, run_directories
from convscope.config import folders, in_process
from convscope.errors import ConvscopeError
from convscope.models.checkpoint_files import CONTRACT_FILE
from tests.conftest import ROOT
from tests.test_configs import compose

TINY = {"input_size": 24, "widths": [3], "units": 4}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_three_functions_lead_from_photographs_to_a_page(here: Path, class_folders: Path) -> None:
    data = convscope.prepare("dataset=folder", dataset={"name": "two", "source": class_folders})
    assert data.path == Path("data/two")
    assert data.classes == ["dark", "light"]
    assert {split: sum(counts.values()) for split, counts in data.counts.items()} == {
        "train": 14, "validation": 2, "test": 4,
    }  # fmt: skip
    assert "<td>light</td><td>7</td><td>1</td><td>2</td>" in data._repr_html_()
    assert data.report.is_file()
    states = random.getstate(), np.random.get_state()[1].tolist()
    run = convscope.train(
        "dataset=folder", "training.epochs=2", dataset={"name": "two"}, model=TINY, augmentation="none"
    )
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states
    assert run.path == run_directories.follow_latest(Path("outputs/train/latest"))
    assert run.metrics == json.loads((run.path / "metrics.json").read_text())
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert run.open_model().class_names == ["dark", "light"]
    assert f"<td>test</td><td>{run.metrics['test']['loss']:.4f}</td>" in run._repr_html_()
    assert "data:image/png;base64," in run._repr_html_()
    page = convscope.visualize(checkpoint=run.path, views=["activations"], images=[class_folders / "dark"])
    assert page.path.is_file()
    assert page.pictures
    assert all(path.is_file() for path in page.pictures)
    folders = [Path(entry["path"]).parent for entry in page._shown()]
    assert len(set(folders)) == len(folders) == 8  # one picture of each photograph first
    assert {folder.parts[0] for folder in folders} == {"activations"}
    assert page._repr_html_().count("<img") == 8
    command = json.loads((page.path.parent / "manifest.json").read_text())["command"]
    assert command.startswith(f"convscope.visualize('checkpoint={run.path}', 'views=[activations]', ")


def test_a_data_set_of_a_folder_is_made_with_the_settings_of_the_command(
    here: Path, class_folders: Path
) -> None:
    (here / "conf" / "dataset").mkdir(parents=True)
    mine = "defaults:\n  - schema_folder\n  - _self_\nname: mine\nsource: photos\n"
    (here / "conf" / "dataset" / "mine.yaml").write_text(mine)
    data = convscope.prepare(dataset="mine")
    assert data.path == Path("data/mine")
    assert folders.own() is None


def test_predictions_and_evaluations_are_runs_without_a_history(here: Path, trained_folder: Path) -> None:
    donor = trained_folder / "donor"
    predicted = convscope.train(predict=donor, images=[trained_folder / "photos" / "dark"])
    assert (predicted.metrics, predicted.history) == ({}, [])
    assert predicted.predictions.read_text().count("\n") == 11
    assert "predictions.csv" in predicted._repr_html_()
    shutil.copytree(trained_folder / "data", here / "data")
    evaluated = convscope.train("dataset=folder", evaluate=donor, dataset={"name": "two"}, splits=["test"])
    assert list(evaluated.metrics) == ["test"]
    assert not (evaluated.path / CONTRACT_FILE).exists()


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        ((), {"trainig": {"epochs": 3}}, "no key 'trainig': did you mean training?"),
        (("trainig.epochs=3",), {}, "no key 'trainig': did you mean training?"),
        ((), {"training": {"epochs": "many"}}, "training.epochs=many: expected an integer"),
        (("--epochs", "3"), {}, "the argument '--epochs' is a flag: expected 'KEY=VALUE'; flags are for the"),
        ((3,), {}, "the argument 3 is not a text: expected 'KEY=VALUE', or key=value"),
        (
            (),
            {"sweep": "search"},
            "this is a sweep, but a function trains one run: use the command convscope",
        ),
        ((), {"seed": object}, "the value <class 'object'> has the type type: expected a text, a number or"),
        (
            (),
            {},
            "no data set at data/procedural (data contains: none): make it with 'convscope.prepare()' and",
        ),
    ],
)
def test_a_wrong_setting_is_the_error_of_the_command(
    here: Path, given: tuple[Any, ...], settings: dict[str, Any], message: str
) -> None:
    before = invocation.get()
    with pytest.raises(ConvscopeError) as raised:
        convscope.train(*given, **settings)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert not list(here.iterdir())
    assert invocation.get() == before


@pytest.mark.parametrize(
    "name",
    [
        "a,b.jpg",
        "it's.jpg",
        "'quoted'",
        '"x"',
        "back\\'slash",
        "end\\",
        "a=b (1) [2].png",
        "#grün 花",
        "1",
        "null",
        "True",
        "1e3",
        ".hidden",
    ],
)
def test_any_text_reaches_the_stage_unchanged(name: str) -> None:
    given = list(in_process._as_arguments({"images": [name], "labels": name}))
    config = compose("visualize", *given)
    assert (config.images, config.labels) == ([name], name)


def test_an_active_program_with_hydra_is_not_disturbed(here: Path, tmp_path: Path) -> None:
    compose("train")  # leaves a state
    active = GlobalHydra.instance().hydra
    with pytest.raises(ConvscopeError):
        convscope.train(dataset="nope")
    assert GlobalHydra.instance().hydra is active


def test_a_wrong_setting_is_found_before_tensorflow_is_imported() -> None:
    code = (
        "import sys, convscope\n"
        "try: convscope.train(trainig=1)\n"
        "except convscope.errors.ConvscopeError: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_functions_have_documented_names() -> None:
    functions: list[Callable[..., object]] = [convscope.prepare, convscope.train, convscope.visualize]
    for function in functions:
        assert f"`convscope {function.__name__}`" in str(function.__doc__)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "name: x\nsource: y\n",
            "dataset/mine.yaml has the key 'source', which its schema does not have: write",
        ),
        (
            "nmae: x\n",
            "dataset/mine.yaml has the key 'nmae', which its schema does not have: --help-all lists",
        ),
        (
            "name: [\n",
            "cannot read a file of settings (while parsing a flow node expected the node content, but",
        ),
    ],
)
def test_a_mistake_in_a_file_of_ones_own_is_explained(here: Path, content: str, message: str) -> None:
    (here / "conf" / "dataset").mkdir(parents=True)
    (here / "conf" / "dataset" / "mine.yaml").write_text(content)
    with pytest.raises(ConvscopeError) as raised:
        convscope.prepare(dataset="mine")
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
