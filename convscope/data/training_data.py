"""The data set that a model was trained on, and the reference images of a run of stage 3."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convscope.data.changes import changed_images
from convscope.data.image_paths import find
from convscope.data.manifest import SPLITS, ImageRecord, Manifest, manifest_hash, open_dataset
from convscope.data.pipeline import LabelledImages, labelled_images
from convscope.errors import ConvscopeError
from convscope.files import user_path

_UNKNOWN = Path("unknown")


@dataclass(frozen=True)
class TrainingData:
    """The data set that a model was trained on.

    `manifest` is None if the data set cannot be opened. `is_unchanged`: it is as it was in the training.
    """

    root: Path
    manifest: Manifest | None
    is_unchanged: bool = False

    @property
    def why_missing(self) -> str:
        """The end of a sentence that says where an image was not found."""
        return "which the model does not name" if self.root == _UNKNOWN else f"which is not at {self.root}"

    @property
    def images(self) -> list[ImageRecord]:
        """All its images; none if it cannot be opened."""
        return self.manifest.images if self.manifest else []


def training_data(about: Mapping[str, Any]) -> TrainingData:
    """Open the data set of a model; print a note if it has changed since the model was trained.

    `about` is the description of the data set in `model.json`: its path, its fold, the hash of its manifest.
    """
    root, fold = Path(about.get("path", _UNKNOWN)), about.get("fold")
    try:
        manifest = open_dataset(root, fold)
    except ConvscopeError:
        return TrainingData(root, None)
    is_known = manifest_hash(root, fold) == about.get("manifest_sha256")
    if is_known and "images" in about:  # all that is known about a split made by hand
        is_known = about["images"] == manifest.sizes()
    is_unchanged = is_known and not changed_images(root, manifest)
    if not is_unchanged:
        print(f"note: {root} has changed since the training; the model may have seen its test images")
    return TrainingData(root, manifest, is_unchanged)


def reference_images(splits: Sequence[str], data: TrainingData, classes: list[str]) -> LabelledImages:
    """Return the images of `splits`: those of the model's data set, then other photographs, each file once.

    Other photographs have no known class: their labels are 0.

    Args:
        splits: `train`, `validation`, `test`, or files, folders and globs as in `image_paths.find`.
        data: the model's data set.
        classes: the class names of the model.

    Raises:
        ConvscopeError: there is no image, or the data set cannot be opened.
    """
    parts = [_split(name, data) for name in SPLITS if name in splits]
    others = [entry for entry in splits if entry not in SPLITS]
    for entry in others:
        near = difflib.get_close_matches(entry, SPLITS, n=1)
        is_pattern = entry.startswith("@") or any(sign in entry for sign in "*?[")
        if near and not is_pattern and not user_path(entry).exists():
            raise ConvscopeError(f"splits={entry}: no such split, folder or file; did you mean {near[0]}?")
    if others:
        known = {path.resolve() for part in parts for path in part.paths}
        paths = [path for path in find(others) if path.resolve() not in known]
        parts.append(LabelledImages(paths, np.zeros(len(paths), np.int64), classes))
    return LabelledImages(
        [path for part in parts for path in part.paths],
        np.concatenate([part.labels for part in parts]),
        parts[0].classes,
        all(part.plain for part in parts),
    )


def _split(name: str, data: TrainingData) -> LabelledImages:
    if data.manifest is None:
        raise ConvscopeError(
            f"splits={name} needs the data set of the training, {data.why_missing}; set splits=FOLDER"
        )
    return labelled_images(data.root, data.manifest, name)
