"""How fast the search for the examples of each channel is, compared with prediction alone.

The search finds nine examples of 32 channels in each of four convolutions; the prediction is
`predict_on_batch` of the whole model. Both get the same batches in turns. The photographs are those of
--data, or noise if the folder does not exist. Weights are random. The benchmark takes about two minutes.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from convscope.quiet import import_tensorflow

import_tensorflow()

from convscope.data import image_paths  # noqa: E402
from convscope.data.pipeline import Batches, LabelledImages  # noqa: E402
from convscope.graph import flatten  # noqa: E402
from convscope.images import save_png  # noqa: E402
from convscope.models import small_convnet  # noqa: E402
from convscope.preprocessing import by_name  # noqa: E402
from convscope.vis.example_search import ExampleSearch  # noqa: E402
from convscope.vis.layer_selection import spread  # noqa: E402

SHARED = Path(os.environ.get("CONVSCOPE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
TURN = 8  # batches until the other measurement takes its turn


def main() -> None:
    """Measure, print a line, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "flowers", help="a folder")
    parser.add_argument("--images", type=int, default=0, metavar="N", help="the first N; 0 is all of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        paths = _photographs(options.data, options.images, Path(scratch))
        result = _searching(paths)
    print(
        f"{result['case']:48} {result['ours']:7.1f} {result['unit']}  {result['other_name']}: "
        f"{result['other']:7.1f}, ratio {result['ratio']:.2f}"
    )
    if options.json:
        print(json.dumps({"benchmark": "examples", "results": [result]}))


def _photographs(folder: Path, count: int, scratch: Path) -> list[Path]:
    if folder.is_dir():
        paths = image_paths.find([str(folder)])
        step = max(1, len(paths) // count) if count else 1  # photographs of every class
        return paths[::step][: count or None]
    rng = np.random.default_rng(0)
    for index in range(count or 1024):
        save_png(scratch / f"{index}.png", rng.integers(0, 256, (240, 320, 3)).astype(np.uint8))
    return sorted(scratch.iterdir())


def _searching(paths: list[Path]) -> dict[str, Any]:
    graph = flatten(small_convnet.build(5, input_size=150))
    examples = LabelledImages(paths, np.zeros(len(paths), np.int64), ["none"])
    batches = Batches(examples, size=(150, 150), preprocessing=by_name("unit_range"), batch_size=32)
    search = ExampleSearch(graph.model, spread(graph.layers, 4), top=9)
    runs: list[Callable[[np.ndarray], Any]] = [search.add, graph.model.predict_on_batch]
    for run in runs:
        run(batches[0][0])  # the first batch builds the graph
    seconds = [0.0, 0.0]
    for start in range(0, len(batches), TURN):
        for which in (0, 1) if start // TURN % 2 else (1, 0):
            started = time.perf_counter()
            for index in range(start, min(start + TURN, len(batches))):
                runs[which](batches[index][0])
            seconds[which] += time.perf_counter() - started
    ours, other = (len(paths) / duration for duration in seconds)
    return {
        "case": f"search {len(paths)} photographs, small_convnet", "unit": "images/s", "ours": ours,
        "other": other, "other_name": "prediction alone", "ratio": ours / other,
    }  # fmt: skip


if __name__ == "__main__":
    main()
