"""The pictures that methods of class activation are measured on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope import images
from convscope.app.visualize.run import Run
from convscope.data.pipeline import Batches, LabelledImages
from convscope.graph import probabilities_of
from convscope.vis.class_activation.targets import of_class

BATCH = 16


@dataclass(frozen=True)
class Samples:
    """Pictures with the class that the model predicts, which all maps explain.

    Attributes:
        paths: the files.
        inputs: preprocessed, float32 (n, height, width, channels).
        probabilities: float64 (n, classes).
        labels: the true classes, int (n,); the predicted class where the true one is not known.
        masks: bool (height, width), the evidence for the predicted class; None where it is not known, and for
            wrong predictions: a mask shows the evidence for the true class.
        logits: the number of logits of the model.
    """

    paths: list[Path]
    inputs: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray
    masks: list[np.ndarray | None]
    logits: int

    @property
    def targets(self) -> np.ndarray:
        """The target of the predicted class of each picture, float32 (n, logits)."""
        return targets_of(self.probabilities.argmax(axis=1), self.logits)


def targets_of(classes: np.ndarray, logits: int) -> np.ndarray:
    """Return the target of each class, int (n,), as float32 (n, logits)."""
    return np.stack([of_class(int(index), logits) for index in classes])


def open_samples(run: Run, limit: int) -> Samples:
    """Return at most `limit` reference images of a run, chosen at random with its seed."""
    bundle, available = run.models.first, run.reference_images
    count = len(available.paths)
    chosen = np.sort(np.random.default_rng(run.config.seed).permutation(count)[:limit])
    paths = [available.paths[index] for index in chosen]
    batches = Batches(
        LabelledImages(paths, available.labels[chosen], available.classes, available.plain),
        size=bundle.contract.input_size,
        preprocessing=bundle.contract.preprocessing,
        batch_size=BATCH,
    )
    inputs = np.concatenate([batches[index][0] for index in range(len(batches))])
    parts = [inputs[at : at + BATCH] for at in range(0, len(paths), BATCH)]
    probabilities = np.concatenate([probabilities_of(bundle.model, part) for part in parts])
    root, records = run.training_data.root, run.training_data.images
    known = {root / record.path: record for record in records}
    classes = bundle.contract.class_names  # the data set may have them in another order
    labels = [
        classes.index(known[path].label) if path in known and known[path].label in classes else predicted
        for path, predicted in zip(paths, probabilities.argmax(axis=1), strict=True)
    ]
    correct = np.array(labels) == probabilities.argmax(axis=1)
    masks = [
        known[path].mask if path in known and right else None
        for path, right in zip(paths, correct, strict=True)
    ]
    size = bundle.contract.input_size
    return Samples(
        paths,
        inputs,
        probabilities,
        np.array(labels),
        [_mask(root / mask, *size) if mask else None for mask in masks],
        int(bundle.model.output_shape[-1]),
    )


def _mask(path: Path, height: int, width: int) -> np.ndarray | None:
    """Return a mask at the size of the input, bool (height, width); None if it is empty there."""
    mask = images.resize(images.load_png(path), height, width)[..., 0] > 127
    return mask if mask.any() else None
