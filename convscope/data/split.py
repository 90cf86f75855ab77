"""Who goes where: a stratified, seeded split of labelled images that keeps groups together."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from convscope.errors import ConvscopeError

Part = TypeVar("Part", bound=Hashable)
PARTS = ("train", "validation", "test")


def exact_counts(count: int, *, validation: float, test: float, of: str) -> dict[str, float]:
    """How many of `count` images each part should have, not rounded.

    Validation gets `validation * count`; test its fraction of the total, or, with `of="remainder"`, of
    what validation left.
    """
    for_validation = validation * count
    for_test = test * (count - for_validation if of == "remainder" else count)
    return {"train": count - for_validation - for_test, "validation": for_validation, "test": for_test}


def assign(
    labels: Sequence[str],
    keys: Sequence[str],
    groups: Sequence[int] | None = None,
    *,
    validation: float,
    test: float,
    of: str,
    seed: int,
    placed: Sequence[str | None] | None = None,
    parts: Sequence[str] = PARTS,
) -> list[str]:
    """The split of each image: "train", "validation" or "test".

    Each class is divided by itself, its groups as wholes: the counts lie within one group's size of the
    exact fractions, and no part of a class is empty. The result depends on labels, keys and seed alone,
    not on the order in which they come.

    Args:
        labels: the class of each image.
        keys: a name of each image, unique, that is the same on every machine.
        groups: images with the same number stay together; None parts them all.
        validation: fraction of each class for validation.
        test: fraction of each class for test, of the total or of what validation left.
        of: "remainder" or "total".
        seed: decides which image goes where.
        placed: where images are already; they stay, and their groups come to them.
        parts: which there are to be, train among them; train has what another would have had.

    Raises:
        ConvscopeError: a class has fewer than three images that are no duplicates.
    """
    fractions = {
        "validation": validation if "validation" in parts else 0.0,
        "test": test if "test" in parts else 0.0,
    }
    targets = {}
    for label, size in Counter(labels).items():
        exact = exact_counts(size, **fractions, of=of)
        targets[label] = {part: exact[part] for part in parts}
    return _deal(labels, _groups(labels, keys, groups, seed, placed), targets)


def fold(
    labels: Sequence[str],
    keys: Sequence[str],
    groups: Sequence[int] | None = None,
    *,
    folds: int,
    seed: int,
    placed: Sequence[int | None] | None = None,
) -> list[int]:
    """The fold, 0 to `folds` - 1, in which each image is validated; stratified and grouped as by `assign`."""
    targets = {label: dict.fromkeys(range(folds), size / folds) for label, size in Counter(labels).items()}
    return _deal(labels, _groups(labels, keys, groups, seed, placed), targets)


@dataclass
class _Group(Generic[Part]):
    """Images that stay together: their indices, how many of each class, where they go.

    `rank` shuffles groups, the same way on every machine: those of several classes first, as they are the
    hardest to place, then the large ones.
    """

    members: list[int]
    sizes: Counter[str]
    rank: tuple[int, int, bytes]
    part: Any  # a Part, or None until it is dealt
    is_fixed: bool


def _groups(
    labels: Sequence[str],
    keys: Sequence[str],
    groups: Sequence[int] | None,
    seed: int,
    placed: Sequence[Part | None] | None = None,
) -> list[_Group[Part]]:
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(labels)):
        members[groups[index] if groups else index].append(index)
    result: list[_Group[Part]] = []
    for indices in members.values():
        sizes = Counter(labels[index] for index in indices)
        first = min(f"{labels[index]}/{keys[index]}" for index in indices)
        shuffle = hashlib.blake2b(f"{seed}/{first}".encode(), digest_size=8).digest()
        part = (
            next((placed[index] for index in indices if placed[index] is not None), None) if placed else None
        )
        rank = (-len(sizes), -sizes.total(), shuffle)
        result.append(_Group(indices, sizes, rank, part, part is not None))
    return sorted(result, key=lambda group: group.rank)


def _deal(
    labels: Sequence[str], groups: list[_Group[Part]], targets: Mapping[str, Mapping[Part, float]]
) -> list[Part]:
    """Give every group to the part that lacks most of its classes.

    In the end no part lacks, or has over, more of a class than its largest group: whenever a part was
    given a group it lacked more than any other, and all that the parts lack adds up to what is left.
    (Proven for groups of one class; those of several are placed first, where there is most room.)
    """
    lacks = {label: dict(parts) for label, parts in targets.items()}
    for group in groups:
        if group.part is not None:
            _take(lacks, group, group.part)
    for group in groups:
        if group.part is None:
            wants = {
                part: sum(size * lacks[label][part] for label, size in group.sizes.items())
                for part in next(iter(lacks.values()))
            }
            group.part = max(wants, key=lambda part: wants[part])
            _take(lacks, group, group.part)
    for label in sorted(targets):
        _fill_empty_parts(label, groups, lacks)
    result: dict[int, Part] = {}
    for group in groups:
        assert group.part is not None
        result |= dict.fromkeys(group.members, group.part)
    return [result[index] for index in range(len(labels))]


def _take(lacks: dict[str, dict[Part, float]], group: _Group[Part], part: Part, sign: int = 1) -> None:
    for label, size in group.sizes.items():
        lacks[label][part] -= sign * size


def _fill_empty_parts(label: str, groups: list[_Group[Part]], lacks: dict[str, dict[Part, float]]) -> None:
    """Move small groups of a class into the parts that have nothing of it."""
    held = Counter((name, group.part) for group in groups for name in group.sizes)
    for part in lacks[label]:
        if held[label, part]:
            continue
        spare = [
            group
            for group in groups
            if label in group.sizes
            and not group.is_fixed
            and all(held[name, group.part] > 1 for name in group.sizes)
        ]
        if not spare:
            raise _too_few(label, groups, list(lacks[label]))
        moved = min(spare, key=lambda group: (group.sizes.total(), lacks[label][group.part], group.rank))
        for name in moved.sizes:
            held[name, moved.part] -= 1
            held[name, part] += 1
        _take(lacks, moved, moved.part, sign=-1)
        _take(lacks, moved, part)
        moved.part = part


def _too_few(label: str, groups: list[_Group[Part]], parts: list[Part]) -> ConvscopeError:
    having = [group.sizes[label] for group in groups if label in group.sizes]
    alike = f", of which {len(having)} differ" if len(having) < sum(having) else ""
    where = f"the {len(parts)} folds" if 0 in parts else ", ".join(str(part) for part in parts)
    return ConvscopeError(
        f"class {label!r} has {sum(having)} usable image(s){alike}, expected at least {len(parts)}, one for "
        f"each of {where}: add images or leave the class out"
    )
