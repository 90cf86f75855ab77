"""What several tests need: shared photographs, small data sets, the commands in this process."""

import os
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import absl.logging
import hypothesis
import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra

# Hydra closes all logging handlers before a job; absl's, which TensorFlow brings, would close with it
# the stream that pytest captures standard error in.
absl.logging.get_absl_handler().python_handler.setStream(sys.__stderr__)
hypothesis.settings.register_profile("project", deadline=None)  # no test here is about time
hypothesis.settings.load_profile("project")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared photographs and weights, or a skip."""
    place = Path(os.environ.get("CONVSCOPE_SHARED", ROOT.parent / "shared"))
    if not (place / "data").is_dir():
        pytest.skip(f"needs the shared material, which is not at {place}; CONVSCOPE_SHARED moves it")
    return place


@dataclass
class Outcome:
    """What a command left behind: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run one of the three scripts in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(script: str, *arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *arguments])
        GlobalHydra.instance().clear()
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(ROOT / f"{script}.py"), run_name="__main__")
        captured = capsys.readouterr()
        return Outcome(int(stop.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """A folder with ten pictures each of `dark` and `light`, told apart by their brightness."""
    from convscope.images import save_png

    rng = np.random.default_rng(0)
    for label, low in (("dark", 0), ("light", 160)):
        for index in range(10):
            pixels = rng.integers(low, low + 90, (24, 32, 3)).astype(np.uint8)
            save_png(tmp_path / "photos" / label / f"{index}.png", pixels)
    return tmp_path / "photos"
