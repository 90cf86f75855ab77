"""A run of stage 3 that is killed or fails loses no earlier page and can be repeated."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convscope.images import save_png
from convscope.models.bundle import Contract, save_model
from convscope.preprocessing import by_name
from tests.conftest import ROOT, Outcome
from tests.vis import nets

Command = Callable[..., Outcome]
GIVEN = ["checkpoint=run", "images=[photo.png]", "filters.size=16", "hydra.run.dir=out"]


@pytest.fixture
def run(command: Command) -> None:
    Path("run").mkdir()
    save_model(nets.classifier(np.eye(2), "softmax"), Path("run"))
    Contract("by hand", ["dark", "light"], (3, 3), by_name("unit_range")).write(Path("run"))
    save_png(Path("photo.png"), np.full((6, 5, 3), 40, np.uint8))


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def without_page(folder: Path) -> set[str]:
    """Return the files except those of the page itself."""
    return {path for path in contents(folder) if not path.startswith("page") and path != "index.html"}


def stop_while_drawing(drawn: Path, number: signal.Signals, *arguments: str) -> int:
    """Start a long run, send it a signal as soon as the file `drawn` exists, and return its exit status."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "visualize.py"), *GIVEN, "filters.steps=100000", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not drawn.exists():
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.02)
        process.send_signal(number)
        return process.wait(60)
    finally:
        process.kill()


@pytest.mark.usefixtures("run")
def test_a_new_page_keeps_the_files_of_the_user(command: Command) -> None:
    given = [*GIVEN, "views=[layers,class_activation]"]
    assert command("visualize", *given).status == 0
    Path("out/mine/empty").mkdir(parents=True)
    Path("out/mine/notes.txt").write_text("mine")
    Path("out/link").symlink_to("missing")
    Path("out").chmod(0o750)
    done = command("visualize", *GIVEN, "views=[layers]", "overwrite=true")
    assert done.status == 0, done.err
    assert without_page(Path("out")) == {
        "config.yaml", "layers/01.js", "layers/layers.csv", "manifest.json", "mine/notes.txt",
    }  # fmt: skip
    assert Path("out/mine/empty").is_dir()
    assert not Path("out/class_activation").exists()
    assert Path("out/link").readlink() == Path("missing")
    assert Path("out").stat().st_mode & 0o777 == 0o750
    assert [path.name for path in Path().glob(".*")] == []


@pytest.mark.usefixtures("run")
def test_a_page_is_replaced_where_folders_cannot_be_exchanged(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("visualize", *GIVEN, "views=[layers,class_activation]").status == 0
    Path("out/notes.txt").write_text("mine")
    monkeypatch.setattr("convscope.app.visualize.output.exchange", lambda *_: False)
    done = command("visualize", *GIVEN, "views=[layers]", "overwrite=true")
    assert done.status == 0, done.err
    assert without_page(Path("out")) == {
        "config.yaml", "layers/01.js", "layers/layers.csv", "manifest.json", "notes.txt",
    }  # fmt: skip
    assert [path.name for path in Path().glob(".*")] == []


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_run_shows_what_it_drew(number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("this process ignores the signal, as under nohup, and so do the commands that it starts")
    status = stop_while_drawing(Path("out/layers/layers.csv"), number, "views=[layers,filters]")
    assert status == 130
    assert "layers/layers.csv" in Path("out/manifest.json").read_text("utf-8")
    assert not list(Path("out").rglob(".*.partial"))


@pytest.mark.usefixtures("run")
def test_a_failed_run_keeps_the_earlier_page(command: Command) -> None:
    assert command("visualize", *GIVEN, "views=[layers]").status == 0
    before = contents(Path("out"))
    Path("broken.png").write_bytes(b"no picture")
    given = [*GIVEN, "overwrite=true", "views=[layers,examples]", "splits=[broken.png]"]
    assert command("visualize", *given).status == 1
    assert contents(Path("out")) == before


@pytest.mark.usefixtures("run")
def test_a_run_directory_behind_a_link_is_replaced_where_it_is(command: Command) -> None:
    Path("elsewhere").mkdir()
    Path("out").symlink_to("elsewhere")
    for given in ([], ["overwrite=true"]):
        done = command("visualize", *GIVEN, "views=[layers]", *given)
        assert done.status == 0, done.err
    assert Path("out").is_symlink()
    assert without_page(Path("elsewhere")) == {
        "config.yaml", "layers/01.js", "layers/layers.csv", "manifest.json",
    }  # fmt: skip
    assert not list(Path().glob(".*.partial"))
