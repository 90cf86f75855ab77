"""How fast the input of the training is: both engines, compared with decoding and resizing alone.

The pictures are those of FOLDER, or, without it, drawn pictures. The augmentation is that of the flowers
project (rotation 20, shifts 0.2, mirror). The measurements alternate. The benchmark takes about a minute.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from convscope import decode, images
from convscope.data.augment import Ranges, fast_augmentation
from convscope.data.augment_keras import keras_augmentation
from convscope.data.pipeline import Batches, LabelledImages, Randomness
from convscope.data.procedural_files import generate
from convscope.preprocessing import by_name

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "flowers"
RANGES = Ranges(rotation_range=20, width_shift_range=0.2, height_shift_range=0.2, horizontal_flip=True)
COUNT, BATCH, REPEATS = 384, 32, 5


def main() -> None:
    """Measure, print a table, and with --json the object that CONTRIBUTING.md describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="class folders of photographs")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or (SHARED if SHARED.is_dir() else _drawn(Path(scratch)))
        files = sorted(path for path in folder.glob("*/*") if path.is_file())
        paths = files[:: max(1, len(files) // COUNT)][:COUNT]
        results = [result for size in (150, 299) for result in _of_size(paths, size, Path(scratch))]
    for result in results:
        print(
            f"{result['case']:36} {result['ours']:7,.0f} {result['unit']}  {result['other_name']}: "
            f"{result['other']:7,.0f}, ratio {result['ratio']:.2f}"
        )
    if options.json:
        print(json.dumps({"benchmark": "input", "results": results}))


def _drawn(scratch: Path) -> Path:
    generate(scratch, images_per_class=80, image_size=227, difficulty=0.42, seed=0)
    return scratch / "images"


def _of_size(paths: list[Path], size: int, scratch: Path) -> list[dict[str, Any]]:
    classes = _class_folders(paths, scratch / str(size))
    runs: dict[str, Callable[[], None]] = {"ImageDataGenerator": lambda: _plain_keras(classes, size)}
    for threads in (1, 2):
        for name, read in (("Pillow", _by_pillow), ("OpenCV", _by_opencv)):
            runs[f"decoding and resizing by {name}, {threads}"] = lambda threads=threads, read=read: _decode(
                paths, size, threads, read
            )
        runs[f"fast, {threads}"] = lambda threads=threads: _batches(
            paths, size, threads, fast_augmentation(RANGES)
        )
        runs[f"keras, {threads}"] = lambda threads=threads: _batches(
            paths, size, threads, keras_augmentation(RANGES)
        )
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    rate = {name: len(paths) / statistics.median(durations) for name, durations in seconds.items()}
    pairs = [
        *((f"fast, {n}", f"decoding and resizing by Pillow, {n}") for n in (1, 2)),
        *((f"fast, {n}", f"decoding and resizing by OpenCV, {n}") for n in (1, 2)),
        ("fast, 1", "ImageDataGenerator"),
        ("fast, 2", "ImageDataGenerator"),
        ("fast, 2", "fast, 1"),
        ("keras, 1", "ImageDataGenerator"),
        ("keras, 2", "keras, 1"),
    ]
    return [
        {
            "case": f"{size} px, engine {ours} thread{'s' * ours.endswith('2')}",
            "unit": "images/s",
            "ours": rate[ours],
            "other": rate[other],
            "other_name": other + (" thread(s)" if other[-1].isdigit() else ""),
            "ratio": rate[ours] / rate[other],
        }
        for ours, other in pairs
    ]


def _class_folders(paths: list[Path], root: Path) -> Path:
    """Link the files into two class folders, as ImageDataGenerator expects."""
    for index, path in enumerate(paths):
        target = root / str(index % 2) / f"{index}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    return root


def _decode(paths: list[Path], size: int, threads: int, read: Callable[[Path, int], Any]) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda path: read(path, size), paths))


def _by_pillow(path: Path, size: int) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def _by_opencv(path: Path, size: int) -> np.ndarray:
    return images.resize(decode.load_plain(path), size, size)


def _batches(paths: list[Path], size: int, threads: int, augment: Any) -> None:
    batches = Batches(
        LabelledImages(paths, np.zeros(len(paths), int), ["a", "b"], plain=True),
        size=(size, size),
        preprocessing=by_name("unit_range"),
        batch_size=BATCH,
        randomness=Randomness(0, augment),
        threads=threads,
    )
    for index in range(len(batches)):
        batches[index]


def _plain_keras(folder: Path, size: int) -> None:
    """Read with `flow_from_directory` in one thread."""
    generator = ImageDataGenerator(
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        horizontal_flip=True,
        rescale=1 / 255,
    )
    flow = generator.flow_from_directory(folder, target_size=(size, size), batch_size=BATCH)
    for index in range(len(flow)):
        flow[index]


if __name__ == "__main__":
    main()
