"""Draw docs/images/filter_methods.jpg: filters of EfficientNet-Lite0 by four methods, side by side.

Rows: for each of five layers, the methods fourier, maco and book of this project, and tf-keras-vis 0.8.7 with
its defaults. Columns: eight evenly spread channels. The median of the highest responses of each row is
printed. The weights are read from ../shared/weights.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from filters import Case, lite0, tf_keras_vis  # noqa: E402  # imports TensorFlow quietly

from convscope.graph import flatten  # noqa: E402
from convscope.vis.ascent.maximize import Network  # noqa: E402
from convscope.vis.ascent.patterns import Settings, maximize_channels  # noqa: E402

LAYERS = ("stem_conv", "block3_project_conv", "block7_project_conv", "block11_project_conv", "top_relu")
STEPS = {"fourier": 64, "maco": 32, "book": 64}
SIZE, TILE, GAP = 128, 88, 2  # pixels


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--layers", nargs="+", default=LAYERS)
    parser.add_argument("--channels", type=int, default=8, metavar="N")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/filter_methods.jpg")
    options = parser.parse_args()
    model, preprocessing = lite0(options)
    graph = flatten(model)
    network = Network(graph.model, graph.layers, preprocessing)
    rows = []
    for layer in (layer for layer in graph.layers if layer.path in options.layers):
        channels = np.linspace(0, layer.channels - 1, options.channels).round().astype(int).tolist()
        case = Case(layer.path, network, layer, SIZE, channels)
        for method, steps in STEPS.items():
            found = maximize_channels(network, layer.path, channels, Settings(method, SIZE, steps))
            rows.append(_row(case, method, found.pictures))
        rows.append(_row(case, "tf-keras-vis", tf_keras_vis(case, time.perf_counter).pictures))
    Image.fromarray(np.concatenate(rows)).save(options.out, quality=60)


def _row(case: Case, method: str, pictures: np.ndarray) -> np.ndarray:
    highest = np.median(case.responses(pictures)[:, 1])
    print(f"{case.name:24}{method:14}{highest:8.2f}", flush=True)
    tiles = [Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.LANCZOS) for picture in pictures]
    return np.concatenate(
        [np.pad(tile, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255) for tile in tiles], 1
    )


if __name__ == "__main__":
    main()
