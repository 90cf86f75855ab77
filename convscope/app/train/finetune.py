"""The first phase of fine-tuning: train only the head, on features that are computed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from convscope.app.train.build_model import BuiltModel
from convscope.data import features
from convscope.data.changes import changed_images
from convscope.data.features import FeatureBatches
from convscope.data.manifest import Manifest
from convscope.data.pipeline import Batches, LabelledImages
from convscope.models.head import learn_from, split_at_head
from convscope.training.callbacks import KeepBest
from convscope.training.loop import fit
from convscope.training.recipe import Recipe
from convscope.training.state import FILE

FOLDER = ".features"  # in dataset.root; the name of a data set cannot begin with a dot


@dataclass(frozen=True)
class Features:
    """The trunk's output for every image of a data set.

    `values` is float32 (n, …), in the order of `examples`; `rows` maps each split to its indices, int (m,).
    """

    values: np.ndarray
    examples: LabelledImages
    rows: Mapping[str, np.ndarray]


def compute_features(
    built: BuiltModel, batches: Mapping[str, Batches], manifest: Manifest, root: Path
) -> Features:
    """Return the pooled features of all images, from a content-addressed cache on disk.

    Runs share the features if images, preprocessing, and the layers and weights up to the pooling are equal.
    Seed and fold may differ.
    """
    splits = {split: data.examples for split, data in batches.items()}
    labels = {
        path: label
        for examples in splits.values()
        for path, label in zip(examples.paths, examples.labels, strict=True)
    }
    paths = sorted(labels)
    plain = all(examples.plain for examples in splits.values())
    all_images = LabelledImages(
        paths, np.array([labels[path] for path in paths]), splits["train"].classes, plain
    )
    contents = {root / record.path: record.sha256 for record in manifest.images}
    contents |= {root / record.path: "" for record in changed_images(root, manifest)}
    trunk, _ = split_at_head(built.model)
    key = features.key(
        trunk,
        built.preprocessing.to_json(),
        [(path.relative_to(root).as_posix(), contents[path] or _stamp(path)) for path in paths],
    )
    unaugmented = Batches(all_images, size=built.input_size, preprocessing=built.preprocessing, batch_size=32)
    values = features.cached(root.parent / FOLDER / f"{key}.npy", trunk, unaugmented)
    row = {path: index for index, path in enumerate(paths)}
    rows = {split: np.array([row[path] for path in examples.paths]) for split, examples in splits.items()}
    return Features(values, all_images, rows)


def train_head(
    model: keras.Model,
    features: Features,
    batches: Mapping[str, Batches],
    *,
    recipe: Recipe,
    directory: Path,
) -> tuple[list[dict[str, float]], KeepBest]:
    """Train a copy of the model's head on the features, and copy the weights of its best epoch back.

    Returns:
        One row per epoch, as in `history.csv` in `directory`, and the weights that were kept.
    """
    _, head = split_at_head(model)
    data = {
        split: FeatureBatches(
            features.values,
            features.rows[split],
            batches[split].targets,
            batch_size=batches[split].batch_size,
            shuffle_seed=batches[split].shuffle_seed,
        )
        for split in ("train", "validation")
    }
    best_weights: list[list[np.ndarray]] = []

    def keep(improved: keras.Model) -> None:
        best_weights[:] = [improved.get_weights()]

    best = KeepBest(keep)
    (directory / FILE).unlink(missing_ok=True)  # this phase takes seconds, so it is never resumed
    try:
        rows = fit(head, data["train"], data["validation"], recipe=recipe, directory=directory, best=best)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted in the first phase, which will restart from its first epoch; its features are kept"
        ) from None
    (directory / FILE).unlink(missing_ok=True)
    head.set_weights(best_weights[-1])
    learn_from(model, head)
    return rows, best


def _stamp(path: Path) -> list[int]:
    """Return size and modification time, which stand in for a missing or wrong hash in the manifest."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
