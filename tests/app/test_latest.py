"""The link `latest` beside complete runs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope import run_directories
from convscope.errors import ConvscopeError
from convscope.models.checkpoint_files import CONTRACT_FILE, MODEL_FILE, find_last_run, find_model_file
from tests.conftest import Outcome

Command = Callable[..., Outcome]
RUNS = Path("outputs/train")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_run(directory: Path) -> Path:
    directory.mkdir(parents=True)
    for name in (MODEL_FILE, CONTRACT_FILE):
        (directory / name).touch()
    return directory


def test_latest_points_to_the_run_that_ended_last() -> None:
    for name in ("one", "two"):
        run_directories.link_latest(make_run(RUNS / name).absolute())
        assert (RUNS / "latest").readlink() == Path(name)
    run_directories.link_latest(RUNS / "latest")  # the run was repeated in this directory
    assert (RUNS / "latest").readlink() == Path("two")
    assert sorted(path.name for path in RUNS.iterdir()) == ["latest", "one", "two"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_or_folder_with_the_name_latest_is_kept(kind: str) -> None:
    run = make_run(RUNS / "one")
    latest = RUNS / "latest"
    (latest.touch if kind == "file" else latest.mkdir)()
    run_directories.link_latest(run)
    assert not latest.is_symlink()
    assert sorted(path.name for path in RUNS.iterdir()) == ["latest", "one"]


def test_only_runs_directly_in_a_folder_of_outputs_have_the_link(folder: Path) -> None:
    for run in (RUNS / "sweep_2026" / "0", Path("outputs/mine"), Path("elsewhere/train/run")):
        run_directories.link_latest(make_run(run))
    assert list(folder.rglob("latest")) == []


def test_a_file_system_without_links_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    run_directories.link_latest(make_run(RUNS / "one"))
    assert [path.name for path in RUNS.iterdir()] == ["one"]


def test_the_link_is_not_a_further_run() -> None:
    run = make_run(RUNS / "one")
    run_directories.link_latest(run)
    assert find_last_run(Path("outputs")) == run
    with pytest.raises(ConvscopeError, match=r"contains 1 run\(s\): expected one of outputs/train/one$"):
        find_model_file(Path("outputs"))


def test_a_page_of_the_latest_run_names_the_run_itself(command: Command, trained_folder: Path) -> None:
    name = "2026-11-25_14-03-11_small_convnet_two"
    shutil.copytree(trained_folder / "donor", RUNS / name)
    shutil.copytree(trained_folder / "data", "data")
    run_directories.link_latest(RUNS / name)
    drawn = command("visualize", "checkpoint=outputs/train/latest", "views=[layers]")
    assert drawn.status == 0, drawn.err
    (page,) = Path("outputs/visualize").glob("2*")
    assert page.name.endswith("_small_convnet_two")
    assert Path("outputs/visualize/latest").readlink() == Path(page.name)
    (model,) = json.loads((page / "manifest.json").read_text())["models"]
    assert model["path"] == str(RUNS / name / MODEL_FILE)
    failed = command("visualize", "checkpoint=outputs/train/latest", "images=none.png")
    assert failed.status == 1
    assert [path.name for path in Path("outputs/visualize").glob("2*")] == [page.name]
