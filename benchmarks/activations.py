"""How fast feature maps become pictures: all convolutions of InceptionV3 for one photograph.

Drawing and writing: grids of all channels from given maps, compared with a Matplotlib figure for each layer
(`imshow` and `savefig`, 16 tiles in a row, complete rows only). The whole process: `visualize.py` with that
view, compared with a process that loads the model and predicts once. Weights are random. The benchmark takes
about two minutes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from convscope.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402

from convscope.app.visualize.output import RunOutput  # noqa: E402
from convscope.app.visualize.photographs import encode  # noqa: E402
from convscope.app.visualize.run import Run  # noqa: E402
from convscope.app.visualize.views.activations import ActivationsView  # noqa: E402
from convscope.config.schema.views.activations import ActivationsConfig  # noqa: E402
from convscope.config.schema.visualize import VisualizeConfig  # noqa: E402
from convscope.graph import Layer  # noqa: E402
from convscope.images import save_png  # noqa: E402
from convscope.models.bundle import ModelBundle, save_model  # noqa: E402
from convscope.models.opening import open_application  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
PLAIN = """
import sys, keras, numpy as np
model = keras.saving.load_model(sys.argv[1], compile=False)
model.predict(np.zeros((1, 299, 299, 3), "float32"), verbose=0)
"""


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    bundle = open_application("InceptionV3", None)
    with tempfile.TemporaryDirectory() as scratch:
        results = [_drawing(bundle, Path(scratch)), _process(Path(scratch))]
    for result in results:
        print(
            f"{result['case']:48} {result['ours']:7.2f} {result['unit']}  {result['other_name']}: "
            f"{result['other']:7.2f}, ratio {result['ratio']:.2f}"
        )
    if options.json:
        print(json.dumps({"benchmark": "activations", "results": results}))


@dataclass
class _KnownMaps:
    """Known maps in place of a forward pass."""

    layers: Sequence[Layer]
    maps: dict[str, np.ndarray]

    def __call__(self, inputs_of: Callable[[ModelBundle], np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        yield self.maps


def _drawing(bundle: ModelBundle, scratch: Path) -> dict[str, Any]:
    """Draw and write grids of maps that are computed before the clock starts."""
    save_png(scratch / "photograph.png", _noise())
    save_model(keras.models.clone_model(bundle.model), scratch)
    bundle.contract.write(scratch)
    settings = ActivationsConfig(layers=["type:Conv2D"])
    config = VisualizeConfig(
        checkpoint=str(scratch), images=[str(scratch / "photograph.png")], views=["activations"]
    )
    run = Run(config, RunOutput(scratch / "ours", config))
    view = ActivationsView(run, settings)
    photographs = run.photographs
    maps = {
        path: values
        for group in view.groups
        for path, values in next(group(lambda opened: encode(photographs, opened))).items()
    }
    view.groups = [_KnownMaps(view.layers, maps)]  # type: ignore[list-item]

    def draw() -> None:
        for artifact in view.draw():
            run.output.add(artifact)

    ours = _seconds(draw)
    theirs = _seconds(lambda: _as_the_book(maps, scratch / "theirs"))
    return _result(f"draw and write {len(maps)} grids", ours, theirs, "plt.figure, imshow, savefig")


def _noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (299, 299, 3)).astype(np.uint8)


def _as_the_book(maps: dict[str, np.ndarray], folder: Path) -> None:
    """F. Chollet, Deep Learning with Python (2017), listing 5.31."""
    folder.mkdir()
    for number, (name, batch) in enumerate(maps.items()):
        size, count = batch.shape[1], batch.shape[-1]
        rows = max(1, count // 16)
        grid = np.zeros((size * rows, 16 * size))
        for channel in range(min(count, rows * 16)):
            image = batch[0, :, :, channel].copy()
            image -= image.mean()
            image /= image.std() + 1e-5
            image = np.clip(image * 64 + 128, 0, 255).astype("uint8")
            row, column = divmod(channel, 16)
            grid[row * size : (row + 1) * size, column * size : (column + 1) * size] = image
        plt.figure(figsize=(grid.shape[1] / size, grid.shape[0] / size))
        plt.title(name)
        plt.grid(False)
        plt.imshow(grid, aspect="auto", cmap="viridis")
        plt.savefig(folder / f"{number}_{name}.png")
        plt.close()


def _process(scratch: Path) -> dict[str, Any]:
    ours = [
        sys.executable, str(ROOT / "visualize.py"), f"checkpoint={scratch}", "views=[activations]",
        "activations.layers=[type:Conv2D]", f"images={scratch / 'photograph.png'}",
        f"hydra.run.dir={scratch / 'drawn'}",
    ]  # fmt: skip
    theirs = [sys.executable, "-c", PLAIN, str(scratch / "model.keras")]
    durations = [
        _seconds(lambda command=command: subprocess.run(command, check=True, capture_output=True))
        for command in (ours, theirs)
    ]
    return _result("whole process, all convolutions, one photograph", *durations, "load and predict only")


def _seconds(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _result(case: str, ours: float, other: float, other_name: str) -> dict[str, Any]:
    return {
        "case": case, "unit": "s", "ours": ours, "other": other, "other_name": other_name,
        "ratio": other / ours,
    }  # fmt: skip


if __name__ == "__main__":
    main()
