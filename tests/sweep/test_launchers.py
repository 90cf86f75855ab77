"""Launchers of sweeps: joblib, Ray, and SLURM through the local executor of submitit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from convscope import invocation, parallel
from convscope.config import launchers
from convscope.errors import ConvscopeError
from convscope.invocation import Invocation
from tests.conftest import ROOT, Outcome

Command = Callable[..., Outcome]
TINY = [
    "dataset=folder", "dataset.name=two", "augmentation=none", "model.input_size=32", "model.widths=[4]",
    "model.units=4", "sweep.name=sweep",
]  # fmt: skip
TOO_HIGH = "1e40"  # a learning rate that makes the loss infinite


@pytest.fixture
def two(tmp_path: Path, trained_folder: Path) -> Path:
    """A folder with the data set `data/two`."""
    shutil.copytree(trained_folder / "data", tmp_path / "data")
    return tmp_path


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a sweep in a process of its own; its output goes to `out`, so that no pipe can be full."""
    command = [sys.executable, str(ROOT / "train.py"), "-m", *TINY, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # of the jobs of submitit
    with (folder / "out").open("w") as out:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)


def records(folder: Path) -> dict[str, dict]:
    """Return `run.json` of each run by the name of its directory."""
    files = (folder / "outputs/sweeps/sweep").glob("*/run.json")
    return {file.parent.name: json.loads(file.read_text()) for file in files}


def kill_a_training(folder: Path, sweep: subprocess.Popen[bytes]) -> str:
    """Kill the process of a run that has completed an epoch, and return the name of the run."""
    while sweep.poll() is None:
        for state in (folder / "outputs/sweeps/sweep").glob("*/state.npz"):
            record = json.loads((state.parent / "run.json").read_text())
            if record["state"] == "running":
                os.kill(record["pid"], signal.SIGKILL)
                return state.parent.name
        time.sleep(0.02)
    raise AssertionError((folder / "out").read_text()[-2000:])


@pytest.mark.slow
def test_a_sweep_under_ray_survives_a_killed_worker(two: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray: make launchers")
    sweep = start(
        two,
        "launcher=ray",
        "hydra.launcher.ray.init.num_cpus=2",
        f"training.learning_rate=1e-3,2e-3,3e-3,4e-3,5e-3,{TOO_HIGH}",
        "seed=0,1",
        "training.epochs=20",
    )
    killed = kill_a_training(two, sweep)
    status, out = sweep.wait(), (two / "out").read_text()
    runs = records(two)
    assert status == 1, out
    assert sorted(run["state"] for run in runs.values()) == ["failed"] * 2 + ["finished"] * 10
    assert {name for name, run in runs.items() if run["state"] == "failed"} == {
        name for name in runs if "1e+40" in name
    }
    assert {name: run["attempts"] for name, run in runs.items()} == {
        name: 2 if name == killed else 1 for name in runs
    }
    lines = (two / "outputs/sweeps/sweep" / killed / "history.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["epoch", *map(str, range(1, 21))]
    assert "resuming after epoch" in out
    assert "error: 2 of 12 runs failed" in out


@pytest.mark.slow
def test_joblib_and_one_process_train_alike(two: Path) -> None:
    pytest.importorskip(
        "hydra_plugins.hydra_joblib_launcher", reason="needs joblib's launcher: make launchers"
    )
    arguments = [
        f"training.learning_rate=1e-3,{TOO_HIGH}",
        "training.epochs=1",
    ]
    assert start(two, "launcher=joblib", *arguments).wait() == 1
    parallel_runs = records(two)
    shutil.rmtree(two / "outputs")
    assert start(two, *arguments).wait() == 1
    for name, run in records(two).items():
        assert parallel_runs[name]["state"] == run["state"]
        assert parallel_runs[name]["error"] == run["error"]
        for split, scores in run["scores"].items():  # the number of threads changes the last digits
            assert parallel_runs[name]["scores"][split]["loss"] == pytest.approx(scores["loss"], rel=1e-4)


@pytest.mark.slow
def test_shards_in_other_processes_report_their_errors(tmp_path: Path, trained_folder: Path) -> None:
    pytest.importorskip(
        "hydra_plugins.hydra_joblib_launcher", reason="needs joblib's launcher: make launchers"
    )
    photos = sorted((trained_folder / "photos").rglob("*.png"))[8:12]
    command = [
        sys.executable, str(ROOT / "visualize.py"), "-m", "launcher=joblib", "shard=0,1", "shards=2",
        f"checkpoint={trained_folder / 'donor'}", f"images=[{','.join(map(str, photos))}]",
        "views=[class_activation]", "hydra.sweep.dir=out",
    ]  # fmt: skip
    wrong = [*command, "class_activation.method=none"]
    failed = subprocess.run(wrong, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    error = "no class_activation.method 'none': expected one of 13 names, grad_cam to rise"
    assert sorted(failed.stderr.splitlines()) == [
        f"error: 2 of 2 jobs failed, the first with: {error}",
        *[f"error: {error}"] * 2,
    ]
    assert not (tmp_path / "out/index.html").exists()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"written: {tmp_path / 'out/index.html'}" in done.stdout


@pytest.mark.slow
def test_submitit_runs_a_sweep(two: Path) -> None:
    pytest.importorskip("submitit", reason="needs submitit: make launchers")
    folder = "hydra.launcher.submitit_folder=outputs/.submitit/%j"  # as in conf/launcher/slurm.yaml
    local = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10", folder]
    sweep = start(two, *local, f"training.learning_rate=1e-3,{TOO_HIGH}", "training.epochs=1")
    assert sweep.wait() == 1
    assert sorted(run["state"] for run in records(two).values()) == ["failed", "finished"]
    assert "error: 1 of 2 runs failed" in (two / "out").read_text()


@pytest.mark.parametrize(("stage", "name"), [("train", "ray"), ("visualize", "joblib")])
def test_a_missing_launcher_gives_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, stage: str, name: str
) -> None:
    monkeypatch.setitem(launchers.PACKAGES, name, "hydra_missing_launcher")
    outcome = command(stage, "-m", f"launcher={name}", "seed=0,1")
    assert outcome.status == 1
    assert outcome.err == (
        f"error: launcher={name} needs the package hydra-missing-launcher: run 'make launchers', or "
        "'python -m pip install hydra-missing-launcher'\n"
    )
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("stage", "remedy"),
    [
        ("train", "the same command with sweep.resume=true continues; debug=true"),
        ("visualize", "the same command repeats the jobs; with shards, add hydra.sweep.dir=DIR to keep"),
    ],
)
def test_the_failure_of_a_launcher_is_one_line(
    monkeypatch: pytest.MonkeyPatch, stage: str, remedy: str
) -> None:
    monkeypatch.setattr(invocation, "_current", Invocation(("convscope", stage), stage))
    error = type("FailedJobError", (Exception,), {"__module__": "submitit.core.utils"})
    trace = 'failed:\nTraceback:\n  File "a.py"\nModuleNotFoundError: No module named x\n\nlogs are there'
    message = launchers.explain_failure(error(trace))
    assert message is not None
    assert message.startswith(f"the launcher failed (ModuleNotFoundError: No module named x): {remedy}")
    assert launchers.explain_failure(ValueError("a")) is None


def test_a_launcher_without_a_sweep_is_refused() -> None:
    with pytest.raises(ConvscopeError, match="launches the runs of a sweep: add -m, or remove it"):
        launchers.prepare(["launcher=joblib"])


def ray(machine: dict | None = None, **run: float) -> dict:
    return {"_target_": "a.RayLauncher", "ray": {"init": machine or {}, "remote": run}}


@pytest.mark.parametrize(
    ("settings", "jobs", "runs"),
    [
        ({"_target_": "a.BasicLauncher"}, 9, 1),
        ({"_target_": "a.JoblibLauncher", "n_jobs": 3}, None, 3),
        ({"_target_": "a.JoblibLauncher", "n_jobs": -1}, None, 8),
        ({"_target_": "a.RayLauncher", "ray": {"remote": {"num_cpus": 4}}}, None, 2),
        ({"_target_": "a.RayLauncher", "ray": {"remote": {}}}, None, 8),
        ({"_target_": "a.JoblibLauncher", "n_jobs": 3}, 2, 2),
        (ray(num_cpus=1), 2, 2),
        (ray(num_cpus=4), 20, 2),
        (ray(num_cpus=0.5), None, 16),
        (ray(num_cpus=1, num_gpus=0.5), None, 8),
        (ray({"num_gpus": 2}, num_cpus=1, num_gpus=0.5), 20, 4),
        (ray({"num_gpus": 2}, num_cpus=1, num_gpus=0), None, 8),
        (ray({"num_cpus": 2}, num_cpus=1), None, 2),
        (ray({"num_cpus": 16, "num_gpus": None}, num_cpus=4), None, 2),
        ({"_target_": "a.SlurmLauncher", "cpus_per_task": 4}, None, 1),
    ],
)
def test_runs_share_the_cores_of_a_machine(
    monkeypatch: pytest.MonkeyPatch, settings: dict, jobs: int | None, runs: int
) -> None:
    monkeypatch.setattr(parallel, "all_cores", lambda: 8)
    monkeypatch.setattr(parallel, "_runs", 1)
    parallel.share_machine(launchers.runs_at_once(OmegaConf.create(settings), jobs))
    assert parallel.runs_at_once() == runs
    assert parallel.cores() == max(1, 8 // runs)


@pytest.mark.slow
def test_tensorflow_gets_the_threads_of_one_run() -> None:
    program = (
        "from convscope import parallel, quiet; parallel.all_cores = lambda: 6; parallel.share_machine(2); "
        "quiet.import_tensorflow(); import tensorflow as tf; t = tf.config.threading; "
        "print(t.get_intra_op_parallelism_threads(), t.get_inter_op_parallelism_threads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["3", "3"]
