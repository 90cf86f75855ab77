"""Before the training: describe the model, draw its first batch, and check the free memory."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from convscope import parallel
from convscope.data import pixel_cache
from convscope.data.manifest import Manifest
from convscope.data.pipeline import Batches
from convscope.errors import MAX_LISTED, ConvscopeError
from convscope.files import write_text
from convscope.graph import flatten
from convscope.images import resize, save_png
from convscope.models.bundle import Contract
from convscope.models.layer_table import as_text, layer_rows
from convscope.training import memory, precision

LAYERS_FILE = "layers.txt"
_CACHE_SHARE = 0.25  # of the free memory
_EFFECTS = {
    "train": "the model cannot learn such a class",
    "validation": "the best epoch and the calibration are chosen without such a class",
}  # of a class without images
MOST_LAYERS = 40  # a longer table is only written, not printed


def check_splits(root: Path, manifest: Manifest) -> None:
    """Check that there are images to train on; print a note about classes that have none.

    Raises:
        ConvscopeError: the train or the validation split is empty.
    """
    counts = manifest.counts()
    if not counts["train"]:
        raise ConvscopeError(f"the data set at {root} has no train images: expected them in train/CLASS")
    if not counts["validation"]:
        raise ConvscopeError(
            f"the data set at {root} has no validation images, which choose the best epoch: make it again "
            "with split.validation=0.15 overwrite=true, or add validation/CLASS to a split made by hand"
        )
    for split, effect in _EFFECTS.items():
        absent = [name for name in manifest.classes if not counts[split][name]]
        if absent:
            more = f" and {len(absent) - MAX_LISTED} more" if len(absent) > MAX_LISTED else ""
            print(f"note: {root} has no {split} images of {', '.join(absent[:MAX_LISTED])}{more}: {effect}")


def announce(model: keras.Model, contract: Contract, batches: Mapping[str, Batches], directory: Path) -> None:
    """Print model and data set; write the table of layers to `layers.txt`, and print it if it is short."""
    rows = layer_rows(flatten(model).layers)
    table = as_text(rows)
    write_text(directory / LAYERS_FILE, table + "\n")
    if len(rows) <= MOST_LAYERS:
        print(table)
    counts = ", ".join(f"{len(data.examples.paths)} {split}" for split, data in batches.items())
    billions = sum(row.flops for row in rows) / 1e9
    print(
        f"{contract.name}: {len(rows)} layers ({LAYERS_FILE}), {model.count_params():,} parameters, "
        f"{billions:.2f} GFLOPs per picture, input {contract.input_size[0]}×{contract.input_size[1]}, "
        f"preprocessing {contract.preprocessing.name}; {contract.dataset['name']}: {counts} images of "
        f"{len(contract.class_names)} classes"
    )


def warn_of_memory(model: keras.Model, batch_size: int, *, half: bool) -> None:
    """Print a note with a smaller batch size if a step may exceed the free memory; do nothing on GPUs.

    If several runs share the machine, also compare their sum with its memory: when a run begins, the other
    ones may not have reached their maximum.
    """
    free = memory.available()
    needed = memory.needed(model, batch_size, half=half)
    _warn_of_sum(needed, parallel.runs_at_once())
    if free is None or needed <= free or precision.on_graphics():
        return
    fitting = batch_size
    while fitting > 1 and memory.needed(model, fitting, half=half) > free:
        fitting //= 2
    least, most = (needed * share / 2**30 for share in memory.PEAK)
    print(
        f"note: training.batch_size={batch_size} may take {least:.1f} to {most:.1f} GiB of memory, but only "
        f"{free / 2**30:.1f} GiB are free: if it fails, try training.batch_size={fitting}"
    )


def _warn_of_sum(needed: int, runs: int) -> None:
    total = memory.total()
    if total is None or runs * needed <= total or runs == 1 or precision.on_graphics():
        return
    print(
        f"note: {runs} runs at once may take {runs} × {needed / 2**30:.1f} GiB of memory, but the machine "
        f"has {total / 2**30:.1f} GiB: launch at most {max(1, total // needed)} at once"
    )


def keep_pixels(data: Sequence[Batches]) -> None:
    """Let batches keep their photographs in memory if all of them fit into a quarter of the free memory."""
    size = pixel_cache.needed([len(batches.examples.paths) for batches in data], [part.size for part in data])
    free = memory.available()
    share = math.inf if free is None else _CACHE_SHARE * free / parallel.runs_at_once()
    if size <= share:
        print(f"cache: the decoded photographs take {size / 2**30:.2f} GiB of memory")
        for batches in data:
            batches.keep_pixels()
    else:
        print(
            f"cache: none, because the decoded photographs would take {size / 2**30:.1f} GiB, and only "
            f"{share / 2**30:.1f} GiB may be used; every epoch decodes them again"
        )


def draw_batch(path: Path, train: Batches) -> None:
    """Draw up to 16 pictures of the first training batch, with the preprocessing inverted.

    If it cannot be inverted, each picture is scaled from its minimum to its maximum.
    """
    pictures = train[0][0][:16]
    if train.preprocessing.invertible:
        pictures = train.preprocessing.decode(pictures)
    else:
        low, high = (bound(axis=(1, 2, 3), keepdims=True) for bound in (pictures.min, pictures.max))
        pictures = 255 * (pictures - low) / np.maximum(high - low, 1e-6)
    tiles = [resize(np.clip(np.rint(picture), 0, 255).astype(np.uint8), 160, 160) for picture in pictures]
    columns = math.ceil(math.sqrt(len(tiles)))
    sheet = np.full((math.ceil(len(tiles) / columns) * 164 + 4, columns * 164 + 4, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet[row * 164 + 4 : row * 164 + 164, column * 164 + 4 : column * 164 + 164] = tile
    save_png(path, sheet)
