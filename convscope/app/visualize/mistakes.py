"""The photographs behind a confusion matrix, as a sprite sheet and a table for the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope import decode, images
from convscope.app.visualize.training_results import Prediction, predictions, run_of
from convscope.data.manifest import SPLITS
from convscope.files import sha256
from convscope.parallel import in_threads
from convscope.render.data_script import data_script
from convscope.render.page import FOLDER
from convscope.render.sprite import sprite

TABLE, SPRITE = "confused.js", "confused.jpg"
TILE = 112  # pixels of a side
MOST_CERTAIN = 48  # mistakes of all cells, which the page shows first
OF_MISTAKES, OF_CORRECT = 24, 6  # photographs of a cell
MOST = 480  # photographs in total


def mistakes(
    checkpoint: str, dataset: Mapping[str, Any], photographs: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """Return the table and the sprite by their names in the folder of the page; nothing without mistakes.

    Of each cell, the most certain mistakes and the least certain correct predictions are shown.

    Args:
        checkpoint: the file of the model; its folder has the predictions.
        dataset: `data` of `training_results`.
        photographs: the keys of the photographs of the page by their SHA-256; names of files repeat.
    """
    run = run_of(checkpoint)
    of_splits = predictions(run) if run else {}
    if not of_splits:
        return {}
    split, found = next(iter(of_splits.items()))
    shown = shown_predictions(found)
    files_of_shown = [file_of(one.path, split, dataset) for one in shown]
    tiles = list(in_threads(_tile, files_of_shown))
    pictures = [tile for tile in tiles if tile is not None]
    numbers = iter(range(len(pictures)))
    rows = [
        [one.path, one.true, one.predicted, one.probability]
        + (
            [next(numbers), (photographs or {}).get(sha256(file))]
            if tile is not None and file
            else [None] * 2
        )
        for one, tile, file in zip(shown, tiles, files_of_shown, strict=True)
    ]
    files = {}
    content: dict[str, Any] = {"split": split, "rows": rows, "tile": TILE}
    if pictures:
        sheet, content["columns"] = sprite(np.stack(pictures), 1)
        files[SPRITE] = images.jpeg_bytes(sheet)
    return {**files, TABLE: data_script(f"{FOLDER}/confused", content)}


def shown_predictions(found: Sequence[Prediction]) -> list[Prediction]:
    """Return the photographs that are worth a look: the most certain mistakes, then those of each cell."""
    cells: dict[tuple[str, str], list[Prediction]] = {}
    for one in found:
        cells.setdefault((one.true, one.predicted), []).append(one)
    wrong = {pair: cell for pair, cell in cells.items() if pair[0] != pair[1]}
    mistaken = [one for cell in wrong.values() for one in cell]
    certain = sorted(mistaken, key=lambda one: -one.probability)[:MOST_CERTAIN]
    chosen = list(certain)
    for pair in sorted(wrong, key=lambda pair: -len(wrong[pair])):
        of_cell = sorted(wrong[pair], key=lambda one: -one.probability)[:OF_MISTAKES]
        chosen += [one for one in of_cell if one not in certain]
    for pair, cell in sorted(cells.items()):
        if pair not in wrong:
            chosen += sorted(cell, key=lambda one: one.probability)[:OF_CORRECT]
    return chosen[:MOST]


def file_of(path: str, split: str, dataset: Mapping[str, Any]) -> Path | None:
    """Return the file of a prediction, or None if it is not in the folder of the data set.

    The table of a foreign run could name any file. The data set may have moved, and have other splits now.
    """
    root, parts = Path(dataset.get("path", "")), Path(path).parts
    if not (root / "manifest.json").is_file() or ".." in parts:
        return None
    for at in reversed([at for at, part in enumerate(parts) if part in (split, *SPLITS)]):
        candidates = [Path(root, other, *parts[at + 1 :]) for other in (parts[at], split, *SPLITS)]
        if found := next((path for path in candidates if path.is_file()), None):
            return found
    return None


def _tile(path: Path | None) -> np.ndarray | None:
    """Return the middle of a photograph, uint8 (TILE, TILE, 3), or None if it cannot be read."""
    if path is None:
        return None
    try:
        pixels = decode.load(path)
    except decode.DecodeError:
        return None
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return images.resize(pixels[top : top + side, left : left + side], TILE, TILE)
