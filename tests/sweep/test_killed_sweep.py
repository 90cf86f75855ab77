"""A sweep that is killed half-way ends when it is resumed, and runs nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, run_script

DATA = ["dataset.images_per_class=6", "dataset.classes=[rose,daisy]", "dataset.image_size=32"]
TINY = ["model.input_size=16", "model.widths=[2]", "model.units=2", "training.epochs=1", "augmentation=none"]
RATES = "training.learning_rate=1e-2,3e-3,1e-3,3e-4,1e-4,1e30"  # the last one diverges
SWEEP = ["-m", RATES, "seed=0,1", *TINY, "sweep.name=tiny"]


def records(sweep: Path) -> dict[str, dict[str, Any]]:
    """Return the contents of `run.json` by the name of the run."""
    return {path.parent.name: json.loads(path.read_bytes()) for path in sweep.glob("*/run.json")}


def kill_during_a_run(sweep: Path) -> None:
    """Start the sweep in a process, and kill the process while it trains after its fifth finished run."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *SWEEP], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None:
            states = [one["state"] for one in records(sweep).values()]
            if states.count("finished") >= 5 and "running" in states:
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.01)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_sweep_killed_half_way_is_resumed_without_running_anything_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = Path("outputs/sweeps/tiny")
    assert run_script("create_train_val_test", *DATA) == 0
    kill_during_a_run(sweep)
    before = records(sweep)
    done = {
        name: (sweep / name / "metrics.json").stat()
        for name in before
        if (sweep / name / "metrics.json").exists()
    }
    assert 5 <= len(done) < 10
    capsys.readouterr()
    assert run_script("train", *SWEEP, "sweep.resume=true") == 1
    printed = capsys.readouterr()
    after = records(sweep)
    states = [one["state"] for one in after.values()]
    assert (len(after), states.count("finished"), states.count("failed")) == (12, 10, 2)
    for name, one in after.items():
        was_running = before[name]["state"] == "running" and name not in done
        assert one["attempts"] == (2 if was_running else 1)
        assert one["state"] == ("failed" if "learning_rate=1e+30" in name else "finished")
    assert {name: (sweep / name / "metrics.json").stat() for name in done} == done
    assert "12 runs: 10 finished, 2 failed" in printed.out
    assert (
        "error: 2 of 12 runs failed, the first with: the validation loss was never finite"
        in printed.err.splitlines()[-1]
    )
    assert len((sweep / "results.csv").read_text().splitlines()) == 13
    assert (sweep / "report.html").read_text().count("the validation loss was never finite") == 2
