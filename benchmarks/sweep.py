"""How good a search of 30 trials is, compared with a grid and a random search of 30 runs.

The runs train a small convnet on drawn pictures for a few epochs; learning rate, dropout and batch size vary.
Each sweep is one command with the same space and the same seed of the network. The search and the random
search begin with the current settings and stop runs early; the grid does not. The benchmark takes about five
minutes on two cores.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ["dataset=procedural", "dataset.images_per_class=40", "dataset.image_size=48"]
NETWORK = [
    "dataset=procedural", "augmentation=none", "model.input_size=32", "model.widths=[8,16]", "model.units=16",
    "training.epochs=8",
]  # fmt: skip
SEARCHED = ["sweep=search", "hydra.sweeper.storage=journal"]
RUNS = 30
SWEEPS = {
    "search (TPE)": SEARCHED,
    "random search": [*SEARCHED, "hydra/sweeper/sampler=random"],
    "grid": [
        "training.learning_rate=1e-4,4e-4,1e-3,4e-3,1e-2", "model.dropout=0.0,0.35,0.7",
        "training.batch_size=8,32",
    ],
}  # fmt: skip


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="trials of each search (default: 30)")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _command(folder, "create_train_val_test.py", *PICTURES)
        sweeps = {name: _sweep(folder, name, options.runs) for name in SWEEPS}
    print(f"{'':16}{'lowest loss':>12}{'mean of 5':>12}{'runs':>6}{'pruned':>8}{'epochs':>8}{'seconds':>9}")
    for name, one in sweeps.items():
        print(
            f"{name:16}{one['lowest']:12.4f}{one['mean of 5']:12.4f}{one['runs']:6}{one['pruned']:8.0%}"
            f"{one['epochs']:8}{one['seconds']:9.0f}"
        )
    if options.json:
        print(json.dumps({"benchmark": "sweep", "results": _results(sweeps)}))


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
