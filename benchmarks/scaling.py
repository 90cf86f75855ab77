"""How the time and the peak memory of stages 1 and 3 grow with the number of images.

Stage 1 inspects and writes generated pictures of 48 × 48 pixels; the view examples of stage 3 searches
photographs of 96 × 96 pixels. Each measurement runs the command in a process of its own. Without arguments:
stage 1 with 1,000, 10,000 and 100,000 images, stage 3 with 1,000 and 10,000; it takes about ten minutes.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from convscope.images import jpeg_bytes
from convscope.parallel import in_processes

ROOT = Path(__file__).resolve().parents[1]
CHUNK = 500  # pictures in a folder, and per task
TINY = ["model.input_size=96", "model.widths=[16,32]", "model.units=16", "training.epochs=1"]


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--prepare", type=int, nargs="*", default=[1_000, 10_000, 100_000], metavar="N")
    parser.add_argument("--examples", type=int, nargs="*", default=[1_000, 10_000], metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(_run(options.run)))
        return
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cases = [(_prepare, count) for count in options.prepare]
        if options.examples:
            _train(folder)
        cases += [(_examples, count) for count in options.examples]
        for measure, count in cases:
            result = measure(folder, count)
            results.append({"images": count, **result})
            shown = ", ".join(f"{name} {value:,.1f}" for name, value in result.items() if name != "case")
            print(f"{result['case']:20} {count:9,} images  {shown}", flush=True)
    if options.json:
        print(json.dumps({"benchmark": "scaling", "results": results}))


def _prepare(folder: Path, count: int) -> dict[str, Any]:
    """Measure stage 1: seconds, peak memory of its largest process, sizes of the manifest and the report."""
    source = _pictures(folder / f"source_{count}", count, 48)
    measured = _measure(
        folder,
        "create_train_val_test.py",
        "dataset=folder",
        f"dataset.name=n{count}",
        f"dataset.source={source}",
    )
    data = folder / "data" / f"n{count}"
    sizes = {name: (data / f"{name}.{end}").stat().st_size / 2**20 for name, end in _FILES}
    return {"case": "stage 1", **measured, **{f"{name} MiB": size for name, size in sizes.items()}}


_FILES = (("manifest", "json"), ("report", "html"))


def _train(folder: Path) -> None:
    source = _pictures(folder / "source_train", 1_000, 96)
    data = ["dataset=folder", "dataset.name=train"]
    _measure(folder, "create_train_val_test.py", *data, f"dataset.source={source}")
    _measure(folder, "train.py", *data, "augmentation=none", *TINY, "hydra.run.dir=run")


def _examples(folder: Path, count: int) -> dict[str, Any]:
    """Measure the view examples of stage 3 on photographs of a folder."""
    photographs = _pictures(folder / f"photographs_{count}", count, 96)
    arguments = ["checkpoint=run", "views=[examples]", f"splits=[{photographs}]"]
    measured = _measure(folder, "visualize.py", *arguments, f"hydra.run.dir=examples_{count}")
    page = (folder / f"examples_{count}" / "page/index.js").stat().st_size / 2**20
    return {"case": "stage 3, examples", **measured, "page MiB": page}


def _pictures(folder: Path, count: int, side: int) -> Path:
    """Write different pictures of two classes, blurred noise as JPEG."""
    starts = list(range(0, count, CHUNK))
    jobs = [(folder, start, min(start + CHUNK, count), side) for start in starts]
    list(in_processes(_write, jobs))
    return folder


def _write(job: tuple[Path, int, int, int]) -> None:
    folder, start, stop, side = job
    into = folder / ("dark" if start // CHUNK % 2 else "light")
    into.mkdir(parents=True, exist_ok=True)
    for index in range(start, stop):
        coarse = np.random.default_rng(index).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        pixels = coarse.repeat(side // 8, 0).repeat(side // 8, 1)
        (into / f"{index:07}.jpg").write_bytes(jpeg_bytes(pixels))


def _measure(folder: Path, script: str, *arguments: str) -> dict[str, float]:
    """Run a script of convscope in `folder` from a process that has no other children."""
    command = [sys.executable, __file__, "--run", str(ROOT / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _run(command: list[str]) -> dict[str, float]:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10
    return {"seconds": seconds, "peak MiB": peak}


if __name__ == "__main__":
    main()
