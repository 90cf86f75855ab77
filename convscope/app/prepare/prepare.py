"""Stage 1: acquire the files, inspect them, split them, write the data set."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from convscope.app.prepare.acquire import acquire, not_contained_in
from convscope.app.prepare.existing import find_existing
from convscope.app.prepare.summary import print_summary
from convscope.app.prepare.write import write_dataset
from convscope.config.schema.prepare import ExtendConfig, PrepareConfig
from convscope.data.inspect import Candidate, Inspected, Rejected, inspect
from convscope.errors import ConvscopeError
from convscope.files import replacing, user_path


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
        source = acquire(config, partial / "source")
        if existing:
            source.candidates = not_contained_in(existing, source.candidates)
            if not source.candidates:
                print(f"{target} already contains all images of the source")
                return target
        inspected, unusable = inspect(source.candidates, min_size=config.inspect.min_size)
        _check_all_classes_remain(source.candidates, inspected, unusable)
        source.rejected += unusable
        manifest = write_dataset(config, source, inspected, existing=existing, target=target, partial=partial)
        shutil.rmtree(partial / "source", ignore_errors=True)
    print_summary(manifest, target, before=len(existing.images) if existing else None)
    return target


def _check_all_classes_remain(
    candidates: Sequence[Candidate], inspected: Sequence[Inspected], rejected: Sequence[Rejected]
) -> None:
    """Raise ConvscopeError if every image of a class was rejected."""
    empty = {candidate.label for candidate in candidates} - {image.candidate.label for image in inspected}
    if not empty:
        return
    label = min(empty)
    source = next(candidate.source for candidate in candidates if candidate.label == label)
    reason = next(entry for entry in rejected if entry.source == source)
    raise ConvscopeError(
        f"class {label!r} has no usable image; the first one is {source}: {reason.reason} "
        f"({reason.detail}); replace the files, or exclude the class with dataset.classes"
    )
