"""How fast stage 1 inspects and writes a data set, compared with decoding and with a copy; its peak memory.

The photographs are those of FOLDER (class folders), or, without it, 4,000 drawn pictures. Each measurement
runs in a process of its own on one core or two; the measurements alternate. The benchmark takes two to three
minutes.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from convscope.app.prepare.prepare import prepare
from convscope.config.schema.prepare import (
    FolderConfig,
    FractionsConfig,
    Link,
    PrepareConfig,
    ProceduralConfig,
)
from convscope.data.inspect import Candidate, inspect
from convscope.parallel import in_processes

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "flowers"
REPEATS = 5


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="class folders of photographs")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--measure", nargs=3, metavar="…", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measure(*options.measure)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or (SHARED if SHARED.is_dir() else _drawn(Path(scratch)))
        results = [*_speeds(folder), _memory()]
    for result in results:
        print(
            f"{result['case']:44} {result['ours']:8,.0f} {result['unit']:9} {result['other_name']}: "
            f"{result['other']:,.0f}, ratio {result['ratio']:.2f}"
        )
    if options.json:
        print(json.dumps({"benchmark": "prepare", "results": results}))


def _drawn(scratch: Path) -> Path:
    dataset = ProceduralConfig(name="drawn", root=str(scratch), images_per_class=800)
    return prepare(PrepareConfig(dataset=dataset, split=FractionsConfig())) / "train"


def _speeds(folder: Path) -> list[dict[str, Any]]:
    count = sum(path.is_file() for path in folder.glob("*/*"))
    results = []
    for cores in (1, 2):
        seconds: dict[str, list[float]] = {}
        for _ in range(REPEATS):
            for what in ("decode", "to arrays", "copy", "inspect", "whole"):
                seconds.setdefault(what, []).append(_in_a_process(what, folder, cores)["seconds"])
        rate = {what: count / statistics.median(durations) for what, durations in seconds.items()}
        for ours, other, name in (
            ("inspect", "decode", "bare decoding"),
            ("inspect", "to arrays", "decoding to RGB arrays"),
            ("whole", "decode", "bare decoding"),
            ("whole", "copy", "a plain copy"),
        ):
            case = "inspect" if ours == "inspect" else "inspect, split, copy, report"
            results.append(
                {
                    "case": f"{case}: {count:,} files, {cores} process{'es' * (cores > 1)}",
                    "unit": "images/s",
                    "ours": rate[ours],
                    "other": rate[other],
                    "other_name": name,
                    "ratio": rate[ours] / rate[other],
                }
            )
    return results


def _memory() -> dict[str, Any]:
    peak = {count: _in_a_process("memory", Path(str(count)), 2)["mebibytes"] for count in (1_000, 10_000)}
    return {
        "case": "peak memory for 10,000 drawn images",
        "unit": "MiB",
        "ours": peak[10_000],
        "other": 1.5 * peak[1_000],
        "other_name": "1.5 times that for 1,000",
        "ratio": 1.5 * peak[1_000] / peak[10_000],
    }


def _in_a_process(what: str, folder: Path, cores: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", what, str(folder), str(cores)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(what: str, folder: str, cores: str) -> dict[str, float]:
    """One measurement, in this process and those it starts."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
    paths = sorted(path for path in Path(folder).glob("*/*") if path.is_file())
    with tempfile.TemporaryDirectory() as scratch, redirect_stdout(sys.stderr):
        started = time.perf_counter()
        if what in ("decode", "to arrays"):
            chunks = [paths[start : start + 32] for start in range(0, len(paths), 32)]
            list(in_processes(partial(_decode, whole=what == "to arrays"), chunks))
        elif what == "copy":
            shutil.copytree(folder, f"{scratch}/copy")
        elif what == "inspect":
            inspect([Candidate(path, path.parent.name, path.name, str(path)) for path in paths], min_size=16)
        elif what == "whole":
            dataset = FolderConfig(name="set", root=scratch, source=folder)
            prepare(PrepareConfig(dataset=dataset, split=FractionsConfig(link=Link.copy)))
        else:
            dataset = ProceduralConfig(
                name="set", root=scratch, images_per_class=int(folder) // 5, image_size=32
            )
            prepare(PrepareConfig(dataset=dataset, split=FractionsConfig()))
        seconds = time.perf_counter() - started
    kilobytes = sum(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {"seconds": seconds, "mebibytes": kilobytes / 1024}


def _decode(paths: Sequence[Path], *, whole: bool) -> int:
    for path in paths:
        with Image.open(path) as image:
            image.load()
            if whole:
                image.convert("RGB").tobytes()
    return len(paths)


if __name__ == "__main__":
    main()
