"""Ctrl-C while stage 1 works in several processes, and at the end of stage 2."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.images import save_png
from tests.conftest import ROOT, Outcome

LIMIT = 120  # seconds; a command that does not end would wait for ever


def many_large_pictures(folder: Path) -> Path:
    """Write two classes of 320 pictures each; they share the content of one file."""
    pixels = np.random.default_rng(0).integers(0, 256, (900, 900, 3)).astype(np.uint8)
    save_png(folder / "a" / "0.png", pixels)
    (folder / "b").mkdir()
    for label in "ab":
        for index in range(1, 321):
            os.link(folder / "a" / "0.png", folder / label / f"{index}.png")
    return folder


@pytest.mark.parametrize("pause", [0.0, 0.5])
@pytest.mark.parametrize("phase", ["drawing", "inspecting"])
def test_two_interrupts_end_stage_1(tmp_path: Path, phase: str, pause: float) -> None:
    arguments = ["dataset.images_per_class=20000"]
    if phase == "inspecting":
        arguments = ["dataset=folder", f"dataset.source={many_large_pictures(tmp_path / 'photos')}"]
    process = subprocess.Popen(
        [sys.executable, "create_train_val_test.py", f"dataset.root={tmp_path / 'data'}", *arguments],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        printed = ""
        while phase not in printed:
            printed += process.stderr.read(1)
        for _ in range(2):
            time.sleep(pause)
            os.killpg(process.pid, signal.SIGINT)
        _, rest = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in rest
    assert rest.splitlines()[-1] == "interrupted: nothing was written"


def test_ctrl_c_after_the_results_are_written_says_so(
    command: Callable[..., Outcome], trained_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reset = keras.utils.clear_session

    def reset_with_interrupt() -> None:
        signal.raise_signal(signal.SIGINT)
        reset()

    monkeypatch.setattr(keras.utils, "clear_session", reset_with_interrupt)
    given = [
        f"predict={trained_folder / 'donor'}",
        f"images={trained_folder / 'photos'}",
        "hydra.run.dir=out",
    ]
    done = command("train", *given)
    assert done.status == 130
    assert done.err.splitlines()[-1] == "interrupted after the end of the run"
    assert Path("out/predictions.csv").is_file()
