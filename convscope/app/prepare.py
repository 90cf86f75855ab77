"""Stage 1: acquire, inspect, split, write."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convscope import names
from convscope.config import DatasetConfig, FolderConfig, PrepareConfig, ProceduralConfig
from convscope.data import folder, procedural, split
from convscope.data.candidates import Candidate, Inspected, inspect
from convscope.data.manifest import FILE, SPLITS, ImageRecord, Manifest, open_dataset
from convscope.errors import ConvscopeError


def prepare(config: PrepareConfig) -> Path:
    """Make `data/NAME` and its manifest; returns its folder.

    With a data set of that name and these settings there, nothing is done; with other settings it is
    replaced if `config.overwrite` says so. The new one is built beside and renamed.

    Raises:
        ConvscopeError: the source is missing or unfit, or the name is taken.
    """
    target = Path(config.dataset.root).expanduser() / config.dataset.name
    settings = _settings(config)
    _undo_half_a_swap(target)
    if target.exists() and _is_made(target, settings, overwrite=config.overwrite):
        print(f"{target} is there already, made with these settings")
        return target
    with _built_beside(target) as partial:
        candidates = _acquire(config.dataset, partial / "source")
        inspected, rejected = inspect(candidates)
        _check_no_class_is_lost(candidates, inspected, rejected)
        manifest = _write(partial, inspected, rejected, config)
        shutil.rmtree(partial / "source", ignore_errors=True)
        manifest.write(partial)
    _print_table(manifest, target)
    return target


def _settings(config: PrepareConfig) -> dict[str, Any]:
    """What decides a data set's contents, as the manifest keeps it."""
    dataset = asdict(config.dataset)
    del dataset["root"], dataset["name"]
    if dataset.get("source"):
        dataset["source"] = str(Path(dataset["source"]).expanduser().resolve())
    kind = type(config.dataset).__name__.removesuffix("Config").lower()
    wanted = {"origin": {"kind": kind, **dataset}, "split": asdict(config.split)}
    return json.loads(json.dumps(wanted))


def _is_made(target: Path, settings: dict[str, Any], *, overwrite: bool) -> bool:
    """Whether `target` holds what `settings` ask for; raises if it may not be replaced."""
    if not (target / FILE).is_file():
        raise ConvscopeError(
            f"{target} is there and was not made by convscope (it has no {FILE}): choose another "
            "dataset.name, or move it away"
        )
    manifest = open_dataset(target)
    there = {"origin": manifest.origin, "split": manifest.split}
    if there == settings:
        return True
    if overwrite:
        return False
    changed = [
        f"{part}.{key} is {there[part].get(key)!r} there and {value!r} here"
        for part, values in settings.items()
        for key, value in values.items()
        if there[part].get(key) != value
    ]
    raise ConvscopeError(
        f"{target} is there with other settings ({'; '.join(changed)}): say overwrite=true to "
        "replace it, or choose another dataset.name"
    )


def _acquire(dataset: DatasetConfig, scratch: Path) -> list[Candidate]:
    if isinstance(dataset, ProceduralConfig):
        return procedural.generate(
            scratch,
            images_per_class=dataset.images_per_class,
            image_size=dataset.image_size,
            difficulty=dataset.difficulty,
            seed=dataset.seed,
        )
    assert isinstance(dataset, FolderConfig)
    if dataset.source is None:
        raise ConvscopeError(
            "dataset.source is not given: add dataset.source=DIR, a folder that holds a folder of "
            "images for each class"
        )
    return folder.find(Path(dataset.source).expanduser())


def _check_no_class_is_lost(
    candidates: Sequence[Candidate], inspected: Sequence[Inspected], rejected: list[dict[str, str]]
) -> None:
    lost = {each.label for each in candidates} - {each.candidate.label for each in inspected}
    if lost:
        raise ConvscopeError(
            f"class {min(lost)!r} has no readable image: mend its files or remove its folder; the first file "
            f"that was refused: {rejected[0]['reason']}"
        )


def _write(
    partial: Path,
    inspected: Sequence[Inspected],
    rejected: list[dict[str, str]],
    config: PrepareConfig,
) -> Manifest:
    """Place every image in its split's class folder, and its mask under `masks/`."""
    ordered = sorted(inspected, key=lambda each: each.candidate.key)
    labels = [each.candidate.label for each in ordered]
    classes = sorted(set(labels))
    settings = _settings(config)
    parts = split.assign(labels, [each.candidate.key for each in ordered], **settings["split"])
    records = []
    stems = names.unique(
        f"{part}/{each.candidate.label}/{names.file_name(each.candidate.path.stem)}"
        for part, each in zip(parts, ordered, strict=True)
    )
    for part, each, stem in zip(parts, ordered, stems, strict=True):
        candidate = each.candidate
        path = f"{stem}{candidate.path.suffix}"
        _place(candidate.path, partial / path)
        mask = f"masks/{stem}.png" if candidate.mask else None
        if mask and candidate.mask:
            _place(candidate.mask, partial / mask)
        records.append(
            ImageRecord(
                path=path,
                split=part,
                label=candidate.label,
                source=candidate.source,
                sha256=each.sha256,
                width=each.width,
                height=each.height,
                mask=mask,
            )
        )
    records.sort(key=lambda record: (SPLITS.index(record.split), record.path))
    return Manifest(config.dataset.name, classes, settings["split"], records, settings["origin"], rejected)


def _place(source: Path, target: Path) -> None:
    """A hard link where the file system has them, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def _aside(target: Path) -> Path:
    """Where the old data set waits while the new one takes its place."""
    return target.with_name(f".{target.name}.old")


def _undo_half_a_swap(target: Path) -> None:
    """Put the old data set back if a run was killed after it had moved it aside."""
    if _aside(target).exists() and not target.exists():
        _aside(target).rename(target)


@contextmanager
def _built_beside(target: Path) -> Iterator[Path]:
    """An empty folder beside `target` that takes its place at the end, or vanishes on failure."""
    partial, old = target.with_name(f".{target.name}.partial"), _aside(target)
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if target.exists():
            target.rename(old)
        partial.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _print_table(manifest: Manifest, target: Path) -> None:
    counts = manifest.counts()
    width = max(len(name) for name in (*manifest.classes, "total"))
    print(f"\n{'':{width}}  " + "".join(f"{part:>12}" for part in SPLITS))
    for name in manifest.classes:
        print(f"{name:{width}}  " + "".join(f"{counts[part][name]:>12}" for part in SPLITS))
    print(f"{'total':{width}}  " + "".join(f"{counts[part].total():>12}" for part in SPLITS))
    if manifest.rejected:
        print(f"\n{len(manifest.rejected)} file(s) left out, listed in the manifest; the first:")
        print(f"  {manifest.rejected[0]['reason']}")
    print(f"\nwritten: {target}")
