"""The split of every image: duplicates get the same split; images of an existing data set keep theirs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convscope.config.schema.prepare import PredefinedConfig, PrepareConfig
from convscope.data.duplicates import Grouping, Pair, PerceptualHash, find_pairs, group_duplicates
from convscope.data.inspect import Inspected, Rejected
from convscope.data.manifest import SPLITS, ImageRecord, Manifest
from convscope.data.split import Fractions, assign_folds, assign_splits
from convscope.errors import ConvscopeError

LINKS_SPLITS, NO_SPLIT = "links two splits", "no split"


@dataclass(frozen=True)
class Member:
    """An image of the data set that is made.

    An image of the existing data set has a `record`; a new image has `inspected`. `split` and `fold` are the
    current ones, or None. `group` is the number of its group of duplicates in the existing data set, or None.
    """

    label: str
    key: str
    source: str
    digest: str
    phash: PerceptualHash | None
    split: str | None = None
    fold: int | None = None
    group: int | None = None
    record: ImageRecord | None = None
    inspected: Inspected | None = None


@dataclass(frozen=True)
class Assignment:
    """The split, the fold (None without folds) and the group of duplicates of each member."""

    members: list[Member]
    splits: list[str]
    folds: list[int | None]
    groups: list[int]
    rejected: list[Rejected]


def new_members(inspected: Sequence[Inspected]) -> list[Member]:
    """Return inspected images as members."""
    return [
        Member(
            label=image.candidate.label,
            key=image.candidate.key,
            source=image.candidate.source,
            digest=image.sha256,
            phash=image.phash,
            split=image.candidate.split,
            inspected=image,
        )
        for image in inspected
    ]


def existing_members(existing: Manifest, folds: Sequence[Manifest]) -> list[Member]:
    """Return the images of a data set to extend, with their splits and folds."""
    fold_of = {
        record.path: number
        for number, manifest in enumerate(folds)
        for record in manifest.of_split("validation")
    }
    group_of = {path: number for number, entry in enumerate(existing.duplicates) for path in entry["images"]}
    return [
        Member(
            label=record.label,
            key=record.key,
            source=record.source,
            digest=record.original or record.sha256,
            phash=PerceptualHash(int(record.phash, 16), int(record.phash, 16)) if record.phash else None,
            split=record.split,
            fold=fold_of.get(record.path),
            group=group_of.get(record.path),
            record=record,
        )
        for record in existing.images
    ]


def assign(members: Sequence[Member], config: PrepareConfig, settings: dict[str, Any]) -> Assignment:
    """Group duplicates and assign a split to every group; reject members that would link two splits.

    Args:
        members: the images; those of the existing data set come first.
        config: the kind of split.
        settings: the settings of the split, as the manifest stores them.
    """
    rejected = []
    if isinstance(config.split, PredefinedConfig):
        rejected = [
            Rejected(member.source, NO_SPLIT, "no folder on its path has the name of a split")
            for member in members
            if member.split is None
        ]
        members = [member for member in members if member.split is not None]
    ordered = sorted(members, key=lambda m: (m.record is None, m.label, m.key, m.source))
    grouping = _group(ordered, config.inspect.near)
    for index, linked in grouping.left_out.items():
        detail = f"equal or nearly equal to images in {' and '.join(linked)}"
        rejected.append(Rejected(ordered[index].source, LINKS_SPLITS, detail))
    kept = [index for index, number in enumerate(grouping.group) if number >= 0]
    members = [ordered[index] for index in kept]
    groups = [grouping.group[index] for index in kept]
    splits = _splits(members, groups, config, settings)
    return Assignment(members, splits, _folds(members, groups, splits, settings), groups, rejected)


def _group(members: Sequence[Member], near: int) -> Grouping:
    pairs = find_pairs([member.digest for member in members], [member.phash for member in members], near)
    return group_duplicates(
        len(members),
        [*pairs, *_known_pairs(members)],
        splits=[m.split if m.fold is None else f"fold {m.fold}" for m in members],
        fixed=[member.record is not None for member in members],
        order=sorted(range(len(members)), key=lambda index: _precedence(members[index])),
    )


def _known_pairs(members: Sequence[Member]) -> Iterator[Pair]:
    """Yield pairs that join the groups of the existing data set; it does not store the mirrored hashes."""
    first: dict[int, int] = {}
    for index, member in enumerate(members):
        if member.group is not None and first.setdefault(member.group, index) != index:
            yield Pair(first[member.group], index, 0)


def _precedence(member: Member) -> tuple[bool, int]:
    """Return the sort key of members: existing images first, then those of test, validation, train."""
    return member.record is None, ("test", "validation", "train", None).index(member.split)


def _splits(
    members: Sequence[Member], groups: list[int], config: PrepareConfig, settings: dict[str, Any]
) -> list[str]:
    if isinstance(config.split, PredefinedConfig):
        return _predefined_splits(members, groups, settings)
    return assign_splits(
        [member.label for member in members],
        [member.key for member in members],
        groups,
        fractions=_fractions(settings),
        seed=settings["seed"],
        current=[member.split for member in members],
    )


def _predefined_splits(members: Sequence[Member], groups: list[int], settings: dict[str, Any]) -> list[str]:
    """Return the splits of the source; a missing validation or test split gets its fraction of train."""
    splits = [member.split or "train" for member in members]
    missing = [split for split in SPLITS if split not in splits]
    if "train" in missing:
        raise ConvscopeError("split=predefined needs a folder named train: add one, or use split=fractions")
    missing = [split for split in missing if settings[split]]
    if not missing:
        return splits
    fractions = " and ".join(f"split.{split}={settings[split]}" for split in missing)
    print(f"the source has no {' and no '.join(missing)} split: train is divided with {fractions}")
    training = [index for index, split in enumerate(splits) if split == "train"]
    divided = assign_splits(
        [members[index].label for index in training],
        [members[index].key for index in training],
        [groups[index] for index in training],
        fractions=_fractions(settings).only(missing),
        seed=settings["seed"],
    )
    for index, split in zip(training, divided, strict=True):
        splits[index] = split
    return splits


def _fractions(settings: dict[str, Any]) -> Fractions:
    return Fractions(settings["validation"], settings["test"], settings["of"])


def _folds(
    members: Sequence[Member], groups: Sequence[int], splits: list[str], settings: dict[str, Any]
) -> list[int | None]:
    """Return the fold of each member outside the test split; set `splits` to the split of fold 0."""
    folds: list[int | None] = [None] * len(members)
    if not settings["folds"]:
        return folds
    rest = [index for index, split in enumerate(splits) if split != "test"]
    numbers = assign_folds(
        [members[index].label for index in rest],
        [members[index].key for index in rest],
        [groups[index] for index in rest],
        folds=settings["folds"],
        seed=settings["seed"],
        current=[members[index].fold for index in rest],
    )
    for index, number in zip(rest, numbers, strict=True):
        folds[index] = number
        splits[index] = "validation" if number == 0 else "train"
    return folds
