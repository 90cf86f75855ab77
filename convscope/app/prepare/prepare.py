"""Stage 1: acquire the files, inspect them, split them, write the data set."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from convscope.app.prepare.acquire import acquire, not_contained_in
from convscope.app.prepare.existing import find_existing, limits_of
from convscope.app.prepare.summary import print_summary
from convscope.app.prepare.write import write_dataset
from convscope.config.schema.prepare import ExtendConfig, PrepareConfig
from convscope.data.inspect import Candidate, Inspected, Rejected, inspect
from convscope.data.manifest import Manifest
from convscope.errors import ConvscopeError
from convscope.files import replacing, user_path

_SOURCE = "source"  # the folder for pictures that are drawn by code


def prepare(config: PrepareConfig) -> Path:
    """Make the folder `data/NAME` with its images, its manifest and its report.

    If the data set exists with the same settings, do nothing. With other settings, `config.overwrite`
    replaces it. The split `extend` adds images to it. The new folder is built beside the old one and replaces
    it in one step.

    Returns:
        The folder of the data set.

    Raises:
        ConvscopeError: the source is missing or unusable, or the name belongs to another data set.
    """
    assert config.dataset.name is not None
    target = user_path(config.dataset.root) / config.dataset.name
    extend = isinstance(config.split, ExtendConfig)
    with replacing(target) as partial:
        existing = find_existing(target, config)
        if existing and not extend:
            print(f"{target} already exists with these settings")
            return target
        try:
            manifest = _write(config, existing, target, partial)
        finally:
            shutil.rmtree(partial / _SOURCE, ignore_errors=True)  # it must not replace the data set
    if manifest is None:
        print(f"{target} already contains all images of the source")
    else:
        print_summary(manifest, target, before=len(existing.images) if existing else None)
    return target


def _write(config: PrepareConfig, existing: Manifest | None, target: Path, partial: Path) -> Manifest | None:
    """Write the data set into `partial`; return None if the source has no image that `existing` has not."""
    source = acquire(config, partial / _SOURCE)
    classes: Sequence[str] = ()
    if existing:
        config = replace(config, inspect=limits_of(existing, config.inspect))
        classes = existing.classes
        source.candidates = not_contained_in(existing, source.candidates)
    inspected, unusable = inspect(source.candidates, min_size=config.inspect.min_size)
    _check_all_classes_remain(source.candidates, inspected, unusable, classes)
    if existing and not inspected:
        return None
    source.rejected += unusable
    return write_dataset(config, source, inspected, existing=existing, target=target, partial=partial)


def _check_all_classes_remain(
    candidates: Sequence[Candidate],
    inspected: Sequence[Inspected],
    rejected: Sequence[Rejected],
    existing: Sequence[str],
) -> None:
    """Raise ConvscopeError if every image of a class was rejected, and the class is not an `existing` one."""
    remaining = {*existing, *(image.candidate.label for image in inspected)}
    empty = {candidate.label for candidate in candidates} - remaining
    if not empty:
        return
    label = min(empty)
    source = next(candidate.source for candidate in candidates if candidate.label == label)
    reason = next(entry for entry in rejected if entry.source == source)
    raise ConvscopeError(
        f"class {label!r} has no usable image; the first one is {source}: {reason.reason} "
        f"({reason.detail}); replace the files, or exclude the class with dataset.classes"
    )
