"""The files of a data set: images, masks, manifests, report."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from convscope import names
from convscope.app.prepare import dataset_report
from convscope.app.prepare.acquire import Source
from convscope.app.prepare.assign_images import Assignment, Member, assign, existing_members, new_members
from convscope.app.prepare.existing import ALGORITHM_KEY, manifest_settings
from convscope.config.schema.prepare import PrepareConfig, ProceduralConfig
from convscope.data.dataset_statistics import pixel_statistics
from convscope.data.image_files import convert_to_png, copy_existing, link_or_copy
from convscope.data.inspect import Inspected
from convscope.data.manifest import SPLITS, ImageRecord, Manifest, fold_name, open_dataset
from convscope.data.split import ALGORITHM
from convscope.files import sha256
from convscope.parallel import in_threads
from convscope.progress import progress


def write_dataset(
    config: PrepareConfig,
    source: Source,
    inspected: Sequence[Inspected],
    *,
    existing: Manifest | None,
    target: Path,
    partial: Path,
) -> Manifest:
    """Write images, manifests and report into the folder `partial`.

    Args:
        config: the settings.
        source: the source of the images, with all rejected files.
        inspected: the new images.
        existing: the data set to extend, or None.
        target: the final folder of the data set, which is that of `existing`.
        partial: the folder to write to.
    """
    settings = manifest_settings(config)
    members = new_members(inspected)
    if existing:
        settings = {name: getattr(existing, name) for name in settings}
        folds = [open_dataset(target, number) for number in range(settings["split"]["folds"])]
        members = [*existing_members(existing, folds), *members]
    assignment = assign(members, config, settings["split"])
    records = _write_images(assignment, config, target, partial)
    manifest = _describe(config, settings, source, assignment, records, existing=existing)
    manifest = replace(
        manifest, pixels=pixel_statistics([partial / image.path for image in manifest.of_split("train")])
    )
    fold_of = {record.path: fold for record, fold in zip(records, assignment.folds, strict=True)}
    for number in range(settings["split"]["folds"]):
        _fold_manifest(manifest, fold_of, number).write(partial, fold_name(number))
    dataset_report.write(partial, manifest, source.folder)
    manifest.write(partial)
    return manifest


def _describe(
    config: PrepareConfig,
    settings: dict[str, Any],
    source: Source,
    assignment: Assignment,
    records: Sequence[ImageRecord],
    *,
    existing: Manifest | None,
) -> Manifest:
    """Return the manifest without the statistics of its pixels."""
    new = [member.inspected for member in assignment.members if member.inspected]
    rejected = [entry.to_json() for entry in source.rejected]
    classes = list(config.dataset.classes) or sorted({candidate.label for candidate in source.candidates})
    about, handled = source.about, Counter[str]()
    if existing:
        known = {tuple(sorted(entry.items())) for entry in rejected}
        earlier = [entry for entry in existing.rejected if tuple(sorted(entry.items())) not in known]
        rejected = earlier + rejected
        classes = list(dict.fromkeys([*existing.classes, *classes]))
        about = existing.source | {"extended": [*existing.source.get("extended", []), about]}
        handled.update(existing.handled)
    handled.update(trait for image in new for trait in image.traits)
    duplicates, conflicts = _describe_duplicates(assignment, records)
    algorithm = existing.split.get(ALGORITHM_KEY, 1) if existing else ALGORITHM
    settings = settings | {"split": {**settings["split"], ALGORITHM_KEY: algorithm}}
    return Manifest(
        name=str(config.dataset.name),
        classes=classes,
        **settings,
        images=sorted(records, key=lambda record: (SPLITS.index(record.split), record.path)),
        source=about,
        rejected=rejected + [entry.to_json() for entry in assignment.rejected],
        duplicates=duplicates,
        conflicts=conflicts,
        handled=dict(sorted(handled.items())),
    )


def _describe_duplicates(
    assignment: Assignment, records: Sequence[ImageRecord]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return `duplicates` and `conflicts` of the manifest; conflicts are duplicates in several classes."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(assignment.groups):
        groups[number].append(index)
    duplicates, conflicts = [], []
    for indices in groups.values():
        if len(indices) < 2:
            continue
        digests = {assignment.members[index].digest for index in indices}
        entry = {
            "kind": "exact" if len(digests) == 1 else "near",
            "images": [records[index].path for index in indices],
        }
        duplicates.append(entry)
        classes = sorted({records[index].label for index in indices})
        if len(classes) > 1:
            conflicts.append({**entry, "classes": classes})
    return duplicates, conflicts


def _fold_manifest(manifest: Manifest, fold_of: dict[str, int | None], number: int) -> Manifest:
    """Return the manifest in which fold `number` is the validation split."""
    images = [
        image
        if image.split == "test"
        else replace(image, split="validation" if fold_of[image.path] == number else "train")
        for image in manifest.images
    ]
    return replace(manifest, images=images)


def _write_images(
    assignment: Assignment, config: PrepareConfig, target: Path, partial: Path
) -> list[ImageRecord]:
    """Write every image to SPLIT/CLASS/ below `partial` and its mask below `masks/`; return the records."""
    link = "auto" if isinstance(config.dataset, ProceduralConfig) else config.split.link.value

    def write(job: tuple[Member, str, str]) -> ImageRecord:
        member, split, stem = job
        if member.record:
            for path in (member.record.path, member.record.mask):
                if path:
                    copy_existing(target / path, partial / path)
            return member.record
        assert member.inspected is not None
        return _write_new(member.inspected, split, stem, partial, link)

    jobs = list(zip(assignment.members, assignment.splits, _stems(assignment), strict=True))
    return list(progress(in_threads(write, jobs), total=len(jobs), desc="writing", unit="image"))


def _stems(assignment: Assignment) -> list[str]:
    """Return unique paths without suffix, SPLIT/CLASS/NAME; "" for a member with a record."""
    labels = sorted({member.label for member in assignment.members})
    folder_of = dict(zip(labels, names.unique(names.file_name(label) for label in labels), strict=True))
    new = iter(
        names.unique(
            (
                f"{split}/{folder_of[member.label]}/{names.file_name(member.inspected.candidate.path.stem)}"
                for member, split in zip(assignment.members, assignment.splits, strict=True)
                if member.inspected
            ),
            taken=(member.record.path.rpartition(".")[0] for member in assignment.members if member.record),
        )
    )
    return [next(new) if member.inspected else "" for member in assignment.members]


def _write_new(inspected: Inspected, split: str, stem: str, partial: Path, link: str) -> ImageRecord:
    candidate = inspected.candidate
    path = f"{stem}{inspected.ending or '.png'}"
    mask = f"masks/{stem}.png" if candidate.mask else None
    if inspected.ending:
        link_or_copy(candidate.path, partial / path, link)
    else:
        convert_to_png(candidate.path, partial / path)
    if mask and candidate.mask:
        link_or_copy(candidate.mask, partial / mask, link)
    status = (partial / path).stat()
    return ImageRecord(
        path=path,
        split=split,
        label=candidate.label,
        source=candidate.source,
        key=candidate.key,
        sha256=inspected.sha256 if inspected.ending else sha256(partial / path),
        original="" if inspected.ending else inspected.sha256,
        phash=f"{inspected.phash.bits:016x}" if inspected.phash else "",
        width=inspected.width,
        height=inspected.height,
        size=status.st_size,
        modified=status.st_mtime_ns,
        mask=mask,
    )
