"""The first of two phases of fine-tuning: the head alone, on features that are computed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from convscope.app.train.build_model import BuiltModel
from convscope.data import features
from convscope.data.features import FeatureBatches
from convscope.data.manifest import Manifest
from convscope.data.pipeline import Batches, LabelledImages
from convscope.models.head import learn_from, split_at_head
from convscope.training.callbacks import KeepBest
from convscope.training.loop import fit
from convscope.training.recipe import Recipe
from convscope.training.state import FILE

FOLDER = ".features"  # in dataset.root, where no data set can be called so


@dataclass(frozen=True)
class Features:
    """What the trunk makes of every image of a data set.

    `values` is float32 (n, …), in the order of `examples`; `rows` tells which of them each split has.
    """

    values: np.ndarray
    examples: LabelledImages
    rows: Mapping[str, np.ndarray]


def compute_features(
    built: BuiltModel, batches: Mapping[str, Batches], manifest: Manifest, root: Path
) -> Features:
    """The pooled features of all images, from disk if they were computed before.

    They are the same for every seed and fold and for heads that pool alike, and computed anew when an image,
    a weight, a layer or the preprocessing changes.
    """
    splits = {split: each.examples for split, each in batches.items()}
    labels = {
        path: label for each in splits.values() for path, label in zip(each.paths, each.labels, strict=True)
    }
    paths = sorted(labels)
    plain = all(each.plain for each in splits.values())
    examples = LabelledImages(
        paths, np.array([labels[path] for path in paths]), splits["train"].classes, plain
    )
    contents = {root / record.path: record.sha256 for record in manifest.images}
    trunk, _ = split_at_head(built.model)
    key = features.key(
        trunk,
        built.preprocessing.to_json(),
        [(path.relative_to(root).as_posix(), contents[path] or _stamp(path)) for path in paths],
    )
    unaugmented = Batches(examples, size=built.input_size, preprocessing=built.preprocessing, batch_size=32)
    values = features.cached(root.parent / FOLDER / f"{key}.npy", trunk, unaugmented)
    row = {path: index for index, path in enumerate(paths)}
    rows = {split: np.array([row[path] for path in each.paths]) for split, each in splits.items()}
    return Features(values, examples, rows)


def train_head(
    model: keras.Model,
    found: Features,
    batches: Mapping[str, Batches],
    *,
    recipe: Recipe,
    directory: Path,
) -> tuple[list[dict[str, float]], float]:
    """Train a copy of the model's head on the features, and give the model what it learned at its best.

    Returns:
        a row an epoch, as in `history.csv`, which is written into `directory`; the lowest validation loss.
    """
    _, head = split_at_head(model)
    feeds = {
        split: FeatureBatches(
            found.values,
            found.rows[split],
            batches[split].targets,
            batch_size=batches[split].batch_size,
            shuffle_seed=batches[split].shuffle_seed,
        )
        for split in ("train", "validation")
    }
    kept: list[list[np.ndarray]] = []

    def keep(improved: keras.Model) -> None:
        kept[:] = [improved.get_weights()]

    best = KeepBest(keep)
    (directory / FILE).unlink(missing_ok=True)  # it takes seconds: it is done again, not gone on with
    try:
        rows = fit(head, feeds["train"], feeds["validation"], recipe=recipe, directory=directory, best=best)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted in the first phase, which will begin anew; its features are kept"
        ) from None
    (directory / FILE).unlink(missing_ok=True)
    head.set_weights(kept[-1])
    learn_from(model, head)
    return rows, best.best


def _stamp(path: Path) -> list[int]:
    """What tells a file's content apart where no manifest has its hash."""
    about = path.stat()
    return [about.st_size, about.st_mtime_ns]
