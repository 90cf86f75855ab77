"""The existing data set with the configured name: keep it, extend it, or refuse to replace it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convscope.config.schema.prepare import ExtendConfig, InspectConfig, PrepareConfig
from convscope.data.changes import report_changes
from convscope.data.manifest import FILE, Manifest, open_dataset
from convscope.data.split import ALGORITHM
from convscope.errors import ConvscopeError
from convscope.files import user_path

ALGORITHM_KEY = "algorithm"  # of the split, in its settings in the manifest


def manifest_settings(config: PrepareConfig) -> dict[str, Any]:
    """Return the settings that decide the contents of a data set, as the manifest stores them."""
    dataset = asdict(config.dataset)
    for name in ("root", "name", "fold"):
        del dataset[name]
    for name in ("source", "labels"):
        if dataset.get(name):
            dataset[name] = str(user_path(dataset[name]).resolve())
    settings = {
        "origin": {"kind": _kind(config.dataset), **dataset},
        "split": {"kind": _kind(config.split), **asdict(config.split)},
        "inspect": asdict(config.inspect),
    }
    return json.loads(json.dumps(settings))


def _kind(config: Any) -> str:
    return type(config).__name__.removesuffix("Config").lower()


def find_existing(target: Path, config: PrepareConfig) -> Manifest | None:
    """Return the manifest of the data set at `target` if it is kept or extended, None if a new one is made.

    Raises:
        ConvscopeError: `target` has something that must not be replaced.
    """
    extend = isinstance(config.split, ExtendConfig)
    if not target.exists():
        if extend:
            raise ConvscopeError(
                f"split=extend, but there is no data set at {target}: make it with split=fractions first"
            )
        return None
    if not (target / FILE).is_file():
        raise ConvscopeError(
            f"{target} exists and was not made by convscope (it has no {FILE}): choose another "
            "dataset.name, or move the folder"
        )
    if config.overwrite and not extend:
        return None
    manifest = open_dataset(target)
    _check_images_exist(manifest, target)
    report_changes(target, manifest)
    if not extend:
        _check_same_settings(manifest, manifest_settings(config), target)
        _note_older_split(manifest, target)
    return manifest


def limits_of(manifest: Manifest, given: InspectConfig) -> InspectConfig:
    """Return the limits that a data set was made with; print a note if other ones are `given`.

    With another limit for near duplicates, new images could be in another split than their duplicates.
    """
    stored = {key: value for key, value in manifest.inspect.items() if isinstance(value, int)}
    own = InspectConfig(**asdict(given) | {key: stored[key] for key in asdict(given) if key in stored})
    if own != given:
        kept = " and ".join(f"inspect.{key}={value}" for key, value in asdict(own).items())
        print(f"note: {manifest.name} is extended with {kept}, as it was made")
    return own


def _note_older_split(manifest: Manifest, target: Path) -> None:
    algorithm = manifest.split.get(ALGORITHM_KEY, 1)
    if algorithm != ALGORITHM:
        print(
            f"note: an earlier version of convscope divided {target} into splits (algorithm {algorithm}); "
            f"with overwrite=true, this version (algorithm {ALGORITHM}) divides it differently"
        )


def _check_images_exist(manifest: Manifest, target: Path) -> None:
    missing = sum(not (target / image.path).exists() for image in manifest.images)
    if missing:
        raise ConvscopeError(
            f"{missing} of the {len(manifest.images)} images of {target} are missing: set overwrite=true to "
            "make the data set again"
        )


def _check_same_settings(manifest: Manifest, settings: dict[str, Any], target: Path) -> None:
    changes = [
        f"{group}.{key} was {getattr(manifest, group).get(key)!r} and is now {value!r}"
        for group, values in settings.items()
        for key, value in values.items()
        if getattr(manifest, group).get(key) != value
    ]
    if changes:
        raise ConvscopeError(
            f"{target} exists with other settings ({'; '.join(changes)}): set overwrite=true to "
            "replace it, or choose another dataset.name"
        )
