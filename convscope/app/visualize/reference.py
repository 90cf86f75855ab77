"""The pictures that a model is looked at with: splits of its data set, or photographs."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convscope.data import image_paths as photographs
from convscope.data.manifest import SPLITS, Manifest, manifest_hash, open_dataset
from convscope.data.pipeline import LabelledImages, labelled_images
from convscope.errors import ConvscopeError
from convscope.models.bundle import ModelBundle


def dataset_of(bundle: ModelBundle, fold: int | None = None) -> tuple[Path, Manifest | None]:
    """The data set that the model was trained on: its folder and its manifest, None if it is gone."""
    root = Path(bundle.contract.dataset.get("path", "not known"))
    try:
        return root, open_dataset(root, fold)
    except ConvscopeError:
        return root, None


def note_a_change(bundle: ModelBundle) -> None:
    """Say so if the data set that the model was trained on is there, and is another than it was."""
    about = bundle.contract.dataset
    root, manifest = dataset_of(bundle, about.get("fold"))
    if manifest and manifest_hash(root, about.get("fold")) != about.get("manifest_sha256"):
        print(f"note: {root} has changed since the model was trained; its test images may not be unseen")


def pictures_of(splits: Sequence[str], bundle: ModelBundle) -> LabelledImages:
    """The pictures of `splits`: those of the model's data set, then photographs, each file once.

    Photographs have no known class: their labels are 0.

    Args:
        splits: `train`, `validation`, `test`; anything else is what `convscope.data.image_paths.find` takes.
        bundle: the model, which knows its data set; the fold that it was validated on is heeded.

    Raises:
        ConvscopeError: there are none, or the data set is gone.
    """
    parts = [_split(name, bundle) for name in SPLITS if name in splits]
    others = [each for each in splits if each not in SPLITS]
    for name in others:
        near = difflib.get_close_matches(name, SPLITS, n=1)
        if near and not Path(name).expanduser().exists():
            raise ConvscopeError(f"splits={name}: no split, folder or photograph, did you mean {near[0]}?")
    if others:
        known = {path.resolve() for part in parts for path in part.paths}
        paths = [path for path in photographs.find(others) if path.resolve() not in known]
        parts.append(LabelledImages(paths, np.zeros(len(paths), np.int64), bundle.contract.class_names))
    return LabelledImages(
        [path for part in parts for path in part.paths],
        np.concatenate([part.labels for part in parts]),
        parts[0].classes,
        all(part.plain for part in parts),
    )


def _split(name: str, bundle: ModelBundle) -> LabelledImages:
    root, manifest = dataset_of(bundle, bundle.contract.dataset.get("fold"))
    if manifest is None:
        raise ConvscopeError(
            f"splits={name}: the data set that the model was trained on is not there ({root}): say "
            "splits=FOLDER with photographs"
        )
    return labelled_images(root, manifest, name)
