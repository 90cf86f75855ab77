"""A stratified, seeded split of labelled images that keeps groups of images together.

The membership is a promise: the same images and settings give the same splits, on every machine and in every
version of this project with the same `ALGORITHM`. It is also stable: each class is sorted by a hash of its
groups and divided at two positions, so one more image moves only the groups next to these positions.
"""

import hashlib
import itertools
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from convscope.errors import ConvscopeError

ALGORITHM = 2  # changes if the same images and settings get another membership

Subset = TypeVar("Subset", bound=Hashable)  # the name of a split or the number of a fold
Remaining = dict[str, dict[Subset, float]]  # by class: how many more images each subset should get


@dataclass(frozen=True)
class Fractions:
    """The fractions of each class for validation and test.

    `of` is the base of `test`: "total", or "remainder" for the images that are not in validation.
    """

    validation: float
    test: float
    of: str

    def counts(self, count: int) -> dict[str, float]:
        """Return how many of `count` images each split gets, not rounded."""
        validation = self.validation * count
        test = self.test * (count - validation if self.of == "remainder" else count)
        return {"train": count - validation - test, "validation": validation, "test": test}

    def only(self, splits: Sequence[str]) -> "Fractions":
        """Return the same fractions for these splits, and 0 for the others."""
        validation = self.validation if "validation" in splits else 0.0
        return Fractions(validation, self.test if "test" in splits else 0.0, self.of)


def assign_splits(
    labels: Sequence[str],
    keys: Sequence[str],
    groups: Sequence[int] | None = None,
    *,
    fractions: Fractions,
    seed: int,
    current: Sequence[str | None] | None = None,
) -> list[str]:
    """Return the split of each image: "train", "validation" or "test".

    Each class is divided separately and its groups are not divided. The counts differ from the exact
    fractions by at most the size of the largest group, or twice that size if groups contain several classes.
    Every split gets an image of every class, except a split with the fraction 0, which gets none. The result
    depends on labels, keys and seed, not on the order of the images.

    Args:
        labels: the class of each image.
        keys: a unique name of each image that is the same on every machine.
        groups: images with the same number stay together; None divides them all.
        fractions: those of each class for validation and test; the other images are for train.
        seed: seed of the random order.
        current: the split that an image already has, or None; it keeps this split, and so does its group.

    Raises:
        ConvscopeError: a class has fewer groups than there are splits.
    """
    always = {"train", *(current or ())}
    filled = [split for split, share in fractions.counts(1).items() if share or split in always]
    targets = {}
    for label, size in Counter(labels).items():
        exact = fractions.counts(size)
        targets[label] = {split: exact[split] for split in filled}
    return _distribute(labels, _groups(labels, keys, groups, seed, current), targets)


def assign_folds(
    labels: Sequence[str],
    keys: Sequence[str],
    groups: Sequence[int] | None = None,
    *,
    folds: int,
    seed: int,
    current: Sequence[int | None] | None = None,
) -> list[int]:
    """Return the fold of each image, 0 to `folds` - 1: in this fold, it is in the validation split.

    Folds are stratified and keep groups together as `assign_splits` does.
    """
    targets = {label: dict.fromkeys(range(folds), size / folds) for label, size in Counter(labels).items()}
    return _distribute(labels, _groups(labels, keys, groups, seed, current), targets)


@dataclass
class _Group(Generic[Subset]):
    """Images that stay together: their indices, the number of each class, their subset.

    `rank` is the position in a random order, the same on every machine.
    """

    members: list[int]
    sizes: Counter[str]
    rank: bytes
    subset: Any  # a Subset, or None until the group is distributed
    is_fixed: bool


def _groups(
    labels: Sequence[str],
    keys: Sequence[str],
    groups: Sequence[int] | None,
    seed: int,
    current: Sequence[Subset | None] | None = None,
) -> list[_Group[Subset]]:
    """Return the groups in the order of their ranks."""
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(labels)):
        members[groups[index] if groups else index].append(index)
    result: list[_Group[Subset]] = []
    for indices in members.values():
        sizes = Counter(labels[index] for index in indices)
        first = min(f"{labels[index]}/{keys[index]}" for index in indices)
        rank = hashlib.blake2b(f"{seed}/{first}".encode(), digest_size=8).digest()
        given = [current[index] for index in indices if current[index] is not None] if current else []
        result.append(_Group(indices, sizes, rank, given[0] if given else None, bool(given)))
    return sorted(result, key=lambda group: group.rank)


def _distribute(
    labels: Sequence[str], groups: list[_Group[Subset]], targets: Mapping[str, Mapping[Subset, float]]
) -> list[Subset]:
    """Assign every group to a subset: first those of several classes, then each class by itself."""
    remaining = {label: dict(subsets) for label, subsets in targets.items()}
    for group in groups:
        if group.subset is not None:
            _add(group, group.subset, remaining)
    mixed = [group for group in groups if group.subset is None and len(group.sizes) > 1]
    for group in sorted(mixed, key=lambda group: (-len(group.sizes), -group.sizes.total(), group.rank)):
        _assign_to_neediest(group, remaining)
    of_class: dict[str, list[_Group[Subset]]] = defaultdict(list)
    for group in groups:
        if group.subset is None:
            (label,) = group.sizes
            of_class[label].append(group)
    for label, subsets in remaining.items():
        _divide(of_class[label], label, subsets)
    counts = Counter((name, group.subset) for group in groups for name in group.sizes)
    for label in sorted(targets):
        _fill_empty_subsets(label, groups, remaining, counts)
    result: dict[int, Subset] = {}
    for group in groups:
        assert group.subset is not None
        result |= dict.fromkeys(group.members, group.subset)
    return [result[index] for index in range(len(labels))]


def _assign_to_neediest(group: _Group[Subset], remaining: Remaining[Subset]) -> None:
    """Assign a group to the subset that needs most images of its classes."""
    need = {
        subset: sum(size * remaining[label][subset] for label, size in group.sizes.items())
        for subset in next(iter(remaining.values()))
    }
    _add(group, max(need, key=lambda subset: need[subset]), remaining)


def _divide(groups: Sequence[_Group[Subset]], label: str, subsets: dict[Subset, float]) -> None:
    """Divide the groups of one class, in their order: one interval of images for each subset.

    `subsets` has the number of images that each subset still needs. A group belongs to the interval that
    contains its middle, so that the ends of an interval are off by at most half a group. Train is the last
    interval: a higher fraction for test takes images from train, not from validation.
    """
    total = sum(group.sizes[label] for group in groups)
    needed = {subset: max(0.0, count) for subset, count in subsets.items()}  # some may have too many
    scale = total / sum(needed.values()) if total else 0.0
    order = sorted(needed, key=lambda subset: subset == "train")
    ends = list(itertools.accumulate(scale * needed[subset] for subset in order))
    position = 0
    for group in groups:
        middle = position + group.sizes[label] / 2
        index = min(bisect_right(ends, middle), len(order) - 1)
        while not needed[order[index]]:  # rounding at the end of the last interval
            index -= 1
        _add(group, order[index], {label: subsets})
        position += group.sizes[label]


def _add(group: _Group[Subset], subset: Subset, remaining: Remaining[Subset]) -> None:
    group.subset = subset
    for label, size in group.sizes.items():
        remaining[label][subset] -= size


def _fill_empty_subsets(
    label: str,
    groups: list[_Group[Subset]],
    remaining: Remaining[Subset],
    counts: Counter[tuple[str, Subset]],
) -> None:
    """Move small groups of a class into the subsets that have no image of it; update `counts` of groups."""
    for subset in remaining[label]:
        if counts[label, subset]:
            continue
        movable = [
            group
            for group in groups
            if label in group.sizes
            and not group.is_fixed
            and all(counts[name, group.subset] > 1 for name in group.sizes)
        ]
        if not movable:
            raise _too_few(label, groups, list(remaining[label]))
        moved = min(movable, key=lambda g: (g.sizes.total(), remaining[label][g.subset], g.rank))
        for name in moved.sizes:
            counts[name, moved.subset] -= 1
            counts[name, subset] += 1
        for name, size in moved.sizes.items():
            remaining[name][moved.subset] += size
        _add(moved, subset, remaining)


def _too_few(label: str, groups: list[_Group[Subset]], subsets: list[Subset]) -> ConvscopeError:
    sizes = [group.sizes[label] for group in groups if label in group.sizes]
    distinct = f" ({len(sizes)} without duplicates)" if len(sizes) < sum(sizes) else ""
    names = f"the {len(subsets)} folds" if 0 in subsets else ", ".join(str(subset) for subset in subsets)
    return ConvscopeError(
        f"class {label!r} has {sum(sizes)} usable image(s){distinct}, expected at least {len(subsets)}, one "
        f"for each of {names}: add images or exclude the class"
    )
