"""How long launchers take, and how good a search is, beside a grid and a random search.

The runs train a small convnet on drawn pictures for a few epochs. The launchers train it with eight seeds:
one run after another, and two at once with joblib and with Ray, where `make launchers` has installed them. A
command with one run shows what starting costs.

In the searches, learning rate and dropout vary. Each sweep is one command, all with the same space and the
same seed of the network. The search and the random search begin with the current settings and stop runs
early; the grid of 15 runs does not.

--part launchers, the default, takes two and a half minutes on two idle cores. The
duration of --part search was not measured in this form.
"""

import argparse
import csv
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURES = [
    "dataset=procedural",
    "dataset.images_per_class=40",
    "dataset.image_size=48",
    "dataset.difficulty=0",
]
NETWORK = [
    "dataset=procedural", "augmentation=none", "model.input_size=32", "model.widths=[8,16]", "model.units=16",
    "training.epochs=8",
]  # fmt: skip
SEARCHED = ["sweep=search", "hydra.sweeper.storage=journal", "training.batch_size=16"]
RUNS = 15
LAUNCHED = 8
LAUNCHERS = {
    "one after another": ("hydra", []),
    "joblib": ("hydra_plugins.hydra_joblib_launcher", ["launcher=joblib", "hydra.launcher.n_jobs=2"]),
    "Ray": ("hydra_plugins.hydra_ray_launcher", ["launcher=ray", "hydra.launcher.ray.init.num_cpus=2"]),
}
SWEEPS = {
    "search (TPE)": SEARCHED,
    "random search": [*SEARCHED, "hydra/sweeper/sampler=random"],
    "grid": [
        "training.learning_rate=1e-4,4e-4,1e-3,4e-3,1e-2", "model.dropout=0.0,0.35,0.7",
    ],
}  # fmt: skip


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="trials of each search (default: 15)")
    parser.add_argument("--part", choices=["launchers", "search"], default="launchers")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _command(folder, "create_train_val_test.py", *PICTURES)
        results += _launchers(folder) if options.part == "launchers" else _searches(folder, options.runs)
    if options.json:
        print(json.dumps({"benchmark": "sweep", "results": results}))


def _launchers(folder: Path) -> list[dict[str, Any]]:
    """Time the same runs with each launcher that is installed."""
    single = _timed(folder, "one", "seed=0")
    print(f"one run: {single:.1f} s from command to end")
    seconds = {}
    for name, (package, arguments) in LAUNCHERS.items():
        try:
            installed = importlib.util.find_spec(package) is not None
        except ModuleNotFoundError:
            installed = False
        if not installed:
            print(f"{name}: not installed")
            continue
        seeds = f"seed=range(0,{LAUNCHED})"
        seconds[name] = _timed(folder, name.replace(" ", "_"), seeds, *arguments)
        print(
            f"{LAUNCHED} runs, {name}: {seconds[name]:.1f} s, {seconds[name] / LAUNCHED:.1f} s per run",
            flush=True,
        )
    serial = seconds.pop("one after another")
    return [
        {
            "case": f"{LAUNCHED} runs on 2 cores", "unit": "s", "ours": serial, "other": other,
            "other_name": name, "ratio": other / serial,
        }
        for name, other in seconds.items()
    ]  # fmt: skip


def _timed(folder: Path, name: str, *arguments: str) -> float:
    began = time.perf_counter()
    _command(folder, "train.py", "-m", f"sweep.name=launch_{name}", *NETWORK, *arguments)
    return time.perf_counter() - began


def _searches(folder: Path, runs: int) -> list[dict[str, Any]]:
    sweeps = {name: _sweep(folder, name, runs) for name in SWEEPS}
    print(f"{'':16}{'lowest loss':>12}{'mean of 5':>12}{'runs':>6}{'pruned':>8}{'epochs':>8}{'seconds':>9}")
    for name, one in sweeps.items():
        print(
            f"{name:16}{one['lowest']:12.4f}{one['mean of 5']:12.4f}{one['runs']:6}{one['pruned']:8.0%}"
            f"{one['epochs']:8}{one['seconds']:9.0f}"
        )
    return _results(sweeps)


def _sweep(folder: Path, name: str, runs: int) -> dict[str, Any]:
    """Run a sweep; return what it reached and what it took."""
    directory = name.partition(" ")[0]
    trials = [f"hydra.sweeper.n_trials={runs}"] if "sweep=search" in SWEEPS[name] else []
    began = time.perf_counter()
    _command(folder, "train.py", "-m", f"sweep.name={directory}", *NETWORK, *SWEEPS[name], *trials)
    seconds = time.perf_counter() - began
    with (folder / "outputs" / "sweeps" / directory / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    losses = sorted(float(row["validation_loss"]) for row in rows if row["validation_loss"])
    return {
        "lowest": losses[0],
        "mean of 5": sum(losses[:5]) / len(losses[:5]),
        "runs": len(rows),
        "pruned": sum(row["state"] == "pruned" for row in rows) / len(rows),
        "epochs": sum(int(row["epochs"] or 0) for row in rows),
        "seconds": seconds,
    }


def _results(sweeps: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    ours, results = sweeps["search (TPE)"], []
    for name in ("random search", "grid"):
        for key, unit in (("lowest", "validation loss"), ("seconds", "s")):
            results.append(
                {
                    "case": f"search of {ours['runs']} trials: {key}",
                    "unit": unit,
                    "ours": ours[key],
                    "other": sweeps[name][key],
                    "other_name": name,
                    "ratio": sweeps[name][key] / ours[key],
                }
            )
    return results


def _command(folder: Path, script: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)


if __name__ == "__main__":
    main()
