"""From inspected files to a data set: what belongs together, who goes where, the files, the manifest."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope import names
from convscope.config.schema.prepare import PredefinedConfig, PrepareConfig, ProceduralConfig
from convscope.data import duplicates, split
from convscope.data.duplicates import PerceptualHash
from convscope.data.inspect import Inspected, Rejected
from convscope.data.manifest import SPLITS, ImageRecord, Manifest
from convscope.data.place import carry_over, convert, place
from convscope.errors import ConvscopeError
from convscope.files import sha256
from convscope.parallel import in_threads
from convscope.progress import progress

LINKS_SPLITS, NO_SPLIT = "links two splits", "no split"


@dataclass(frozen=True)
class Member:
    """An image on its way into the data set: from an earlier one, by its `record`, or `inspected` now.

    `part` is the split that it is in already, or None; `fold` the fold.
    """

    label: str
    key: str
    source: str
    digest: str
    phash: PerceptualHash | None
    part: str | None = None
    fold: int | None = None
    record: ImageRecord | None = None
    inspected: Inspected | None = None


def newcomers(inspected: Sequence[Inspected]) -> list[Member]:
    """What was inspected, as members."""
    return [
        Member(
            label=each.candidate.label,
            key=each.candidate.key,
            source=each.candidate.source,
            digest=each.sha256,
            phash=each.phash,
            part=each.candidate.part,
            inspected=each,
        )
        for each in inspected
    ]


def residents(earlier: Manifest, folds: Sequence[Manifest]) -> list[Member]:
    """The images of a data set that is to be extended, which stay where they are."""
    fold_of = {
        record.path: number for number, each in enumerate(folds) for record in each.of_split("validation")
    }
    return [
        Member(
            label=record.label,
            key=record.key,
            source=record.source,
            digest=record.original or record.sha256,
            phash=PerceptualHash(int(record.phash, 16), int(record.phash, 16)) if record.phash else None,
            part=record.split,
            fold=fold_of.get(record.path),
            record=record,
        )
        for record in earlier.images
    ]


@dataclass(frozen=True)
class Arrangement:
    """Who goes where: of each member its split, its fold (if there are folds) and its group."""

    members: list[Member]
    parts: list[str]
    folds: list[int | None]
    groups: list[int]
    rejected: list[Rejected]


def arrange(members: Sequence[Member], config: PrepareConfig, settings: dict[str, Any]) -> Arrangement:
    """Group duplicates and divide the members; those that would link two splits are left out.

    Args:
        members: the earlier ones first.
        config: says which kind of split.
        settings: the split's own, as the manifest keeps them.
    """
    rejected = []
    if isinstance(config.split, PredefinedConfig):
        rejected = [
            Rejected(each.source, NO_SPLIT, "no folder on its path names one")
            for each in members
            if each.part is None
        ]
        members = [each for each in members if each.part is not None]
    ordered = sorted(members, key=lambda each: (each.record is None, each.label, each.key, each.source))
    grouping = duplicates.group(
        len(ordered),
        duplicates.find_pairs(
            [each.digest for each in ordered], [each.phash for each in ordered], config.inspect.near
        ),
        parts=[each.part if each.fold is None else f"fold {each.fold}" for each in ordered],
        fixed=[each.record is not None for each in ordered],
        order=sorted(
            range(len(ordered)),
            key=lambda index: _precedence(ordered[index]),
        ),
    )
    for index, linked in grouping.left_out.items():
        detail = f"the same as, or nearly, images in {' and '.join(linked)}"
        rejected.append(Rejected(ordered[index].source, LINKS_SPLITS, detail))
    kept = [index for index, number in enumerate(grouping.group) if number >= 0]
    stay = [ordered[index] for index in kept]
    groups = [grouping.group[index] for index in kept]
    parts = _parts(stay, groups, config, settings)
    return Arrangement(stay, parts, _folds(stay, groups, parts, settings), groups, rejected)


def _precedence(member: Member) -> tuple[bool, int]:
    """Who stays where two would link two splits: what is there already, then what tests the model."""
    return member.record is None, ("test", "validation", "train", None).index(member.part)


def _parts(
    members: Sequence[Member], groups: list[int], config: PrepareConfig, settings: dict[str, Any]
) -> list[str]:
    options = {name: settings[name] for name in ("validation", "test", "of", "seed")}
    labels, keys = [each.label for each in members], [each.key for each in members]
    if not isinstance(config.split, PredefinedConfig):
        return split.assign(labels, keys, groups, **options, placed=[each.part for each in members])
    there = {each.part for each in members}
    parts = [each.part or "train" for each in members]
    lacking = [part for part in SPLITS if part not in there]
    if "train" in lacking:
        raise ConvscopeError(
            "split=predefined, and there is no folder train: expected one; split=fractions divides anew"
        )
    if lacking:
        print(f"the source has no {' and no '.join(lacking)}: taken from train, by fractions")
        training = [index for index, part in enumerate(parts) if part == "train"]
        divided = split.assign(
            [labels[index] for index in training],
            [keys[index] for index in training],
            [groups[index] for index in training],
            **options,
            parts=["train", *lacking],
        )
        for index, part in zip(training, divided, strict=True):
            parts[index] = part
    return parts


def _folds(
    members: Sequence[Member], groups: Sequence[int], parts: list[str], settings: dict[str, Any]
) -> list[int | None]:
    """The fold of each member outside test; `parts` becomes what fold 0 says."""
    folds: list[int | None] = [None] * len(members)
    if not settings["folds"]:
        return folds
    rest = [index for index, part in enumerate(parts) if part != "test"]
    numbers = split.fold(
        [members[index].label for index in rest],
        [members[index].key for index in rest],
        [groups[index] for index in rest],
        folds=settings["folds"],
        seed=settings["seed"],
        placed=[members[index].fold for index in rest],
    )
    for index, number in zip(rest, numbers, strict=True):
        folds[index] = number
        parts[index] = "validation" if number == 0 else "train"
    return folds


def write_images(
    arrangement: Arrangement, config: PrepareConfig, target: Path, partial: Path
) -> list[ImageRecord]:
    """Place every image in its split's class folder under `partial`, and its mask under `masks/`.

    Returns:
        their records, in the order of the arrangement.
    """
    link = "auto" if isinstance(config.dataset, ProceduralConfig) else config.split.link.value
    labels = sorted({each.label for each in arrangement.members})
    folder_of = dict(zip(labels, names.unique(names.file_name(label) for label in labels), strict=True))
    stems = iter(
        names.unique(
            (
                f"{part}/{folder_of[each.label]}/{names.file_name(each.inspected.candidate.path.stem)}"
                for each, part in zip(arrangement.members, arrangement.parts, strict=True)
                if each.inspected
            ),
            taken=(each.record.path.rpartition(".")[0] for each in arrangement.members if each.record),
        )
    )
    jobs = [
        (each, part, "" if each.record else next(stems))
        for each, part in zip(arrangement.members, arrangement.parts, strict=True)
    ]

    def write(job: tuple[Member, str, str]) -> ImageRecord:
        member, part, stem = job
        if member.record:
            for path in (member.record.path, member.record.mask):
                if path:
                    carry_over(target / path, partial / path)
            return member.record
        assert member.inspected is not None
        return _write_new(member.inspected, part, stem, partial, link)

    done = in_threads(write, jobs)
    return list(progress(done, total=len(jobs), desc="writing", unit="image"))


def _write_new(inspected: Inspected, part: str, stem: str, partial: Path, link: str) -> ImageRecord:
    candidate = inspected.candidate
    path = f"{stem}{inspected.ending or '.png'}"
    mask = f"masks/{stem}.png" if candidate.mask else None
    if inspected.ending:
        place(candidate.path, partial / path, link)
    else:
        convert(candidate.path, partial / path)
    if mask and candidate.mask:
        place(candidate.mask, partial / mask, link)
    return ImageRecord(
        path=path,
        split=part,
        label=candidate.label,
        source=candidate.source,
        key=candidate.key,
        sha256=inspected.sha256 if inspected.ending else sha256(partial / path),
        original="" if inspected.ending else inspected.sha256,
        phash=f"{inspected.phash.bits:016x}" if inspected.phash else "",
        width=inspected.width,
        height=inspected.height,
        mask=mask,
    )


def describe_duplicates(
    arrangement: Arrangement, records: Sequence[ImageRecord]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The manifest's `duplicates` and, among them, its `conflicts`: the same picture in several classes."""
    groups: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(arrangement.groups):
        groups[number].append(index)
    found, conflicts = [], []
    for indices in groups.values():
        if len(indices) < 2:
            continue
        digests = {arrangement.members[index].digest for index in indices}
        entry = {
            "kind": "exact" if len(digests) == 1 else "near",
            "images": [records[index].path for index in indices],
        }
        found.append(entry)
        classes = sorted({records[index].label for index in indices})
        if len(classes) > 1:
            conflicts.append({**entry, "classes": classes})
    return found, conflicts
