"""Run rows of docs/results.csv again and print how far they are off, or write the table of docs/results.md.

A row is one training: the arguments of train.py, the hash of the split, the precision, the commit, and the
scores. A row is run again with the recorded precision, into outputs/results. Examples:

    python docs/results.py --run cats_vs_dogs_transfer --seed 0
    python docs/results.py --table
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROWS = Path(__file__).with_suffix(".csv")
DOCUMENT = Path(__file__).with_suffix(".md")
BEGIN, END = "<!-- begin of the table of docs/results.csv -->", "<!-- end of the table -->"
SCORES = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")


def main() -> None:
    """Run rows again, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--run", metavar="EXPERIMENT", help="run the rows of this experiment again")
    parser.add_argument("--seed", help="only the row with this seed")
    parser.add_argument("--table", action="store_true", help="write the table into docs/results.md")
    parser.add_argument(
        "--weights", type=Path, default=ROOT.parent / "shared/weights", help="folder of weights"
    )
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="folder of the data sets")
    options = parser.parse_args()
    if options.table:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text("utf-8"), rows()), "utf-8")
        return
    chosen = [
        row for row in rows() if options.run == row["experiment"] and options.seed in (None, row["seed"])
    ]
    if not chosen:
        known = ", ".join(dict.fromkeys(row["experiment"] for row in rows()))
        sys.exit(f"error: no row with --run={options.run} --seed={options.seed}: expected one of {known}")
    for row in chosen:
        directory = ROOT / "outputs/results" / f"{row['experiment']}_{row['seed']}"
        print("\n".join(repeat(row, options.weights, options.data, directory)), flush=True)


def rows() -> list[dict[str, str]]:
    """Return the rows of the file."""
    with ROWS.open(newline="") as file:
        return list(csv.DictReader(file))


def with_table(text: str, recorded: Sequence[dict[str, str]]) -> str:
    """Return the document with the table of the rows between its two marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{''.join(_table(recorded))}{END}{after}"


def _table(recorded: Sequence[dict[str, str]]) -> Iterator[str]:
    yield (
        "| experiment | seed | validation loss | validation accuracy | test loss | test accuracy | minutes | "
        "split | precision | commit |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    previous = ""
    for row in recorded:
        name = "" if row["experiment"] == previous else f"`{row['experiment']}`"
        previous = row["experiment"]
        low, high = (f"{100 * float(row[key]):.1f}" for key in ("test_low", "test_high"))
        yield (
            f"| {name} | {row['seed']} | {float(row['validation_loss']):.3f} | "
            f"{100 * float(row['validation_accuracy']):.1f} % | {float(row['test_loss']):.3f} | "
            f"{100 * float(row['test_accuracy']):.1f} % ({low} to {high}) | {row['minutes']} | "
            f"{row['split'][:12]} | {row['precision']} | {row['commit']} |\n"
        )


def repeat(row: dict[str, str], weights: Path, data: Path, directory: Path) -> Iterator[str]:
    """Run a row again and yield lines that compare its scores with the recorded ones.

    Raises:
        subprocess.CalledProcessError: the training failed.
    """
    command = [
        sys.executable, str(ROOT / "train.py"), *row["arguments"].replace("WEIGHTS", str(weights)).split(),
        f"seed={row['seed']}", f"training.precision={row['precision']}", f"dataset.root={data}",
        f"hydra.run.dir={directory}", "overwrite=true",
    ]  # fmt: skip
    started = time.monotonic()
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603  # our own command
    minutes = (time.monotonic() - started) / 60
    metrics = json.loads((directory / "metrics.json").read_text())
    split = json.loads((directory / "model.json").read_text())["dataset"]["split_sha256"]
    same = (
        "the same split"
        if split == row["split"]
        else f"ANOTHER SPLIT ({split[:12]}, not {row['split'][:12]})"
    )
    yield f"{row['experiment']}, seed {row['seed']}: {same}, {minutes:.0f} min (recorded: {row['minutes']})"
    for key in SCORES:
        name, kind = key.split("_")
        ours, recorded = metrics[name][kind], float(row[key])
        yield f"  {name} {kind}: {ours:.4f} (recorded: {recorded:.4f}, difference {ours - recorded:+.4f})"


if __name__ == "__main__":
    main()
