"""How fast class activation draws a video, and how much memory it needs for 60 and for 600 frames.

Each length is drawn by visualize.py in a process of its own: EfficientNet-Lite0, Grad-CAM, a map for every
frame, MP4 and GIF. The frames are those of --video, repeated, or noise that moves if the file does not exist.
The rate counts everything from the opening of the model to the page, without the start of the process. The
peak of the memory is that of the Python process, in MiB. The benchmark takes about five minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from convscope.decode_video import open_video  # noqa: E402
from convscope.render.video import mp4  # noqa: E402

SHARED = Path(os.environ.get("CONVSCOPE_SHARED", ROOT.parent / "shared"))
LITE0 = SHARED / "weights" / "efficientnet_lite0_imagenet.keras"
LENGTHS = (60, 600)


def main() -> None:
    """Measure, print a line for each length, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--video", type=Path, default=SHARED / "data" / "videos" / "cat.mp4", help="a file")
    parser.add_argument("--model", type=Path, default=LITE0, help="a checkpoint of EfficientNet-Lite0")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)  # in the process that is measured
    options = parser.parse_args()
    if options.draw:
        _draw(options.draw, options.model)
        return
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for count in LENGTHS:
            video = Path(scratch, f"{count}.mp4")
            mp4(video, islice(_frames(options.video), count), 30)
            results.append(_measure(video, options.model, count))
    first, last = (result["peak_mib"] for result in results)
    for result in results:
        print(f"{result['case']:48} {result['ours']:7.1f} frames/s, at most {result['peak_mib']:.0f} MiB")
    print(f"memory for {LENGTHS[1]} frames, divided by that for {LENGTHS[0]}: {last / first:.3f}")
    if options.json:
        print(json.dumps({"benchmark": "class_activation_video", "results": results}))


def _frames(path: Path) -> Iterator[np.ndarray]:
    """Yield the frames of a video again and again."""
    if path.is_file():
        video = open_video(path)
        while True:
            yield from video.frames()
    noise = np.random.default_rng(0).integers(0, 256, (1080, 608, 3)).astype(np.uint8)
    yield from (np.roll(noise, shift, axis=0) for shift in cycle(range(0, 1080, 4)))


def _measure(video: Path, model: Path, count: int) -> dict[str, Any]:
    """Draw a video in a process of its own; return frames per second and the peak of its memory."""
    command = [sys.executable, __file__, "--draw", str(video), "--model", str(model)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=video.parent, check=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    height, width = open_video(video).size
    return {
        "case": f"{count} frames, {width}×{height}, EfficientNet-Lite0", "unit": "frames/s",
        "ours": count / seconds, "peak_mib": peak,
    }  # fmt: skip


def _draw(path: Path, model: Path) -> None:
    """Draw a video; print the seconds, and the peak of the memory of this process in MiB."""
    import resource

    from convscope.quiet import import_tensorflow

    import_tensorflow()
    from convscope.app.visualize.visualize import visualize
    from convscope.config.schema.visualize import visualize_schema

    config = visualize_schema()(
        checkpoint=str(model),
        preprocessing="affine",
        scale=[1 / 128],
        offset=[-127 / 128],
        class_names=[str(index) for index in range(1000)],
        images=[str(path)],
        views=["class_activation"],
    )
    started = time.perf_counter()
    visualize(config, path.with_suffix(""))
    seconds = time.perf_counter() - started
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit]))


if __name__ == "__main__":
    main()
