"""What several tests need: shared photographs, small data sets, the commands in this process."""

import gc
import json
import os
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import absl.logging
import hypothesis
import numpy as np
import pytest
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra

from convscope import invocation

# Hydra closes all logging handlers before a job; absl's, which TensorFlow brings, would close with it
# the stream that pytest captures standard error in.
absl.logging.get_absl_handler().python_handler.setStream(sys.__stderr__)
hypothesis.settings.register_profile("project", deadline=None)  # no test here is about time
hypothesis.settings.load_profile("project")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a background job; processes would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several processes share a GPU
ROOT = Path(__file__).resolve().parent.parent
LONGEST = ["test_end_to_end.py", "test_train.py", "test_visualize.py", "test_pretrained.py"]  # files


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that at the end no process waits long for another one."""
    order = {name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="module", autouse=True)
def fewer_objects_to_collect() -> Iterator[None]:
    """Exempt what is left after a file from garbage collection: TensorFlow leaves a million objects.

    Otherwise, the time to traverse them again and again grows with each file.
    """
    yield
    gc.collect()
    gc.freeze()


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
        capsys.readouterr()
        status = run_script(script, *arguments)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


def shown_on_page(run: str | Path = "out") -> dict[str, Any]:
    """Return what the page of a run shows, as JSON, from the script that its own scripts read."""
    script = Path(run, "page/index.js").read_text("utf-8")
    return json.loads(script.partition("] = ")[2].strip().removesuffix(";"))


def files_on_page(run: str | Path = "out") -> dict[str, dict[str, Any]]:
    """Return what the page knows of each file of a run, by its path."""
    return {artifact["path"]: artifact for artifact in shown_on_page(run)["artifacts"]}


def run_script(script: str, *arguments: str) -> int:
    """Run one of the three scripts in this process and return its exit status."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [f"{script}.py", *arguments])
            patch.setattr(invocation, "_current", invocation.get())
            patch.setattr(sys, "unraisablehook", sys.unraisablehook)  # a script sets its own
            # Hydra composes the configuration once more, only to read hydra.mode, which is None here.
            patch.setattr(Hydra, "get_mode", lambda *_, **__: None)
            GlobalHydra.instance().clear()
            with pytest.raises(SystemExit) as stop:
                runpy.run_path(str(ROOT / f"{script}.py"), run_name="__main__")
    finally:
        for number, handler in handlers.items():  # a script sets its own; processes inherit an ignored signal
            signal.signal(number, handler)
    return int(stop.value.code or 0)


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set `data/two` and `donor`, a tiny run on it; tests work on copies of them."""
    folder = tmp_path_factory.mktemp("trained")
    source = write_class_folders(folder / "photos")
    data = ["dataset=folder", "dataset.name=two"]
    tiny = ["augmentation=none", "model.input_size=32", "model.widths=[4]", "model.units=4"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_script("create_train_val_test", *data, f"dataset.source={source}") == 0
        assert run_script("train", *data, *tiny, "training.epochs=1", "hydra.run.dir=donor") == 0
    return folder


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """A folder with ten pictures each of `dark` and `light`, told apart by their brightness."""
    return write_class_folders(tmp_path / "photos")


def write_class_folders(folder: Path) -> Path:
    """Write ten pictures each of `dark` and `light` into `folder`; their brightness differs."""
    from convscope.images import save_png

    rng = np.random.default_rng(0)
    for label, low in (("dark", 0), ("light", 160)):
        for index in range(10):
            pixels = rng.integers(low, low + 90, (24, 32, 3)).astype(np.uint8)
            save_png(folder / label / f"{index}.png", pixels)
    return folder
