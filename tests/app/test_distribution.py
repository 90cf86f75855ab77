"""Training on several devices: two virtual CPUs in a process of their own."""

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Outcome

Command = Callable[..., Outcome]
TINY = [
    "dataset=folder", "dataset.name=two", "augmentation=none", "model.input_size=32", "model.widths=[4]",
    "model.units=16", "model.dropout=0", "training.epochs=2", "training.batch_size=4",
]  # fmt: skip
# TensorFlow divides the CPU only before it starts. The third training is interrupted after its first epoch.
SCRIPT = """
import sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from convscope.training.callbacks import SaveState
from tests.conftest import run_script

def interrupted(self, epoch, logs=None):
    save(self, epoch, logs)
    raise KeyboardInterrupt

mirrored = [*sys.argv[1:], "training.distribution=mirrored"]
assert run_script("train", *sys.argv[1:], "hydra.run.dir=one") == 0
assert run_script("train", *mirrored, "hydra.run.dir=two") == 0
save, SaveState.on_epoch_end = SaveState.on_epoch_end, interrupted
assert run_script("train", *mirrored, "hydra.run.dir=resumed") == 130
SaveState.on_epoch_end = save
assert run_script("train", *mirrored, "hydra.run.dir=resumed") == 0
"""


def rows(run: Path) -> list[dict[str, float]]:
    with (run / "history.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_two_devices_train_like_one_and_resume(tmp_path: Path, trained_folder: Path) -> None:
    shutil.copytree(trained_folder / "data", tmp_path / "data")
    script = [sys.executable, "-c", SCRIPT, *TINY]
    done = subprocess.run(
        script, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("training on 2 devices: CPU:0, CPU:1") == 3
    assert "resuming after epoch 1 of 2" in done.stdout
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert one[0]["loss"] != pytest.approx(one[1]["loss"], rel=1e-3)  # it learns
    for row, expected in zip(two, one, strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    assert rows(tmp_path / "resumed") == two


def test_one_device_is_refused(
    command: Command, tmp_path: Path, trained_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    shutil.copytree(trained_folder / "data", tmp_path / "data")
    cpu = tf.config.LogicalDevice("/device:CPU:0", "CPU")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [cpu] if kind == "CPU" else [])
    outcome = command("train", *TINY, "training.distribution=mirrored", "hydra.run.dir=run")
    assert outcome.status == 1
    assert outcome.err == (
        "error: training.distribution=mirrored: found one device (CPU:0), expected two GPUs or more: remove "
        "training.distribution\n"
    )
    assert not Path("run").exists()


def test_several_machines_are_refused_with_the_reason(command: Command) -> None:
    outcome = command("train", "training.distribution=multi_worker")
    assert outcome.status == 1
    assert "fails in fit of Keras 3.15 ('PerReplica cannot be converted to a tensor')" in outcome.err
    assert outcome.err.count("\n") == 1
