"""A stratified, seeded split of labelled images that keeps groups of images together."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from convscope.data.manifest import SPLITS
from convscope.errors import ConvscopeError

Subset = TypeVar("Subset", bound=Hashable)  # the name of a split or the number of a fold
Remaining = dict[str, dict[Subset, float]]  # by class: how many more images each subset should get


def exact_counts(count: int, *, validation: float, test: float, of: str) -> dict[str, float]:
    """Return how many of `count` images each split gets, not rounded.

    Validation gets `validation * count`. Test gets its fraction of the total, or, with `of="remainder"`, of
    the images that are not in validation.
    """
    for_validation = validation * count
    for_test = test * (count - for_validation if of == "remainder" else count)
    return {"train": count - for_validation - for_test, "validation": for_validation, "test": for_test}


def assign_splits(
    labels: Sequence[str],
    keys: Sequence[str],
    groups: Sequence[int] | None = None,
    *,
    validation: float,
    test: float,
    of: str,
    seed: int,
    current: Sequence[str | None] | None = None,
    splits: Sequence[str] = SPLITS,
) -> list[str]:
    """Return the split of each image: "train", "validation" or "test".

    Each class is divided separately and its groups are not divided. The counts differ from the exact
    fractions by at most the size of the largest group, and every split gets an image of every class, except
    a split with the fraction 0, which gets none. The result depends on labels, keys and seed, not on the
    order of the images.

    Args:
        labels: the class of each image.
        keys: a unique name of each image that is the same on every machine.
        groups: images with the same number stay together; None divides them all.
        validation: fraction of each class for validation.
        test: fraction of each class for test, of the total or of the remainder.
        of: "remainder" or "total".
        seed: seed of the random order.
        current: the split that an image already has, or None; it keeps this split, and so does its group.
        splits: the splits to fill. They include "train", which gets the images of the splits left out.

    Raises:
        ConvscopeError: a class has fewer groups than there are splits.
    """
    fractions = {
        "validation": validation if "validation" in splits else 0.0,
        "test": test if "test" in splits else 0.0,
    }
    taken = set(current or ())
    filled = [split for split in splits if split == "train" or fractions[split] or split in taken]
    targets = {}
    for label, size in Counter(labels).items():
        exact = exact_counts(size, **fractions, of=of)
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

    `rank` is the order in which groups are distributed, the same on every machine. Groups of several classes
    come first, because they are the hardest to assign; then large groups; then a random order.
    """

    members: list[int]
    sizes: Counter[str]
    rank: tuple[int, int, bytes]
    subset: Any  # a Subset, or None until the group is distributed
    is_fixed: bool


def _groups(
    labels: Sequence[str],
    keys: Sequence[str],
    groups: Sequence[int] | None,
    seed: int,
    current: Sequence[Subset | None] | None = None,
) -> list[_Group[Subset]]:
    """Return the groups by rank."""
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(labels)):
        members[groups[index] if groups else index].append(index)
    result: list[_Group[Subset]] = []
    for indices in members.values():
        sizes = Counter(labels[index] for index in indices)
        first = min(f"{labels[index]}/{keys[index]}" for index in indices)
        shuffle = hashlib.blake2b(f"{seed}/{first}".encode(), digest_size=8).digest()
        given = [current[index] for index in indices if current[index] is not None] if current else []
        rank = (-len(sizes), -sizes.total(), shuffle)
        result.append(_Group(indices, sizes, rank, given[0] if given else None, bool(given)))
    return sorted(result, key=lambda group: group.rank)


def _distribute(
    labels: Sequence[str], groups: list[_Group[Subset]], targets: Mapping[str, Mapping[Subset, float]]
) -> list[Subset]:
    """Assign every group to the subset that still needs most images of its classes.

    At the end, the count of a class in a subset differs from its target by at most the largest group of the
    class. Proof for groups of one class: the chosen subset needs at least as many images as any other subset,
    and the needs of all subsets add up to the number of the remaining images.
    """
    remaining = {label: dict(subsets) for label, subsets in targets.items()}
    for group in groups:
        if group.subset is not None:
            _add(group, group.subset, remaining)
    for group in groups:
        if group.subset is None:
            need = {
                subset: sum(size * remaining[label][subset] for label, size in group.sizes.items())
                for subset in next(iter(remaining.values()))
            }
            group.subset = max(need, key=lambda subset: need[subset])
            _add(group, group.subset, remaining)
    counts = Counter((name, group.subset) for group in groups for name in group.sizes)
    for label in sorted(targets):
        _fill_empty_subsets(label, groups, remaining, counts)
    result: dict[int, Subset] = {}
    for group in groups:
        assert group.subset is not None
        result |= dict.fromkeys(group.members, group.subset)
    return [result[index] for index in range(len(labels))]


def _add(group: _Group[Subset], subset: Subset, remaining: Remaining[Subset]) -> None:
    for label, size in group.sizes.items():
        remaining[label][subset] -= size


def _remove(group: _Group[Subset], remaining: Remaining[Subset]) -> None:
    for label, size in group.sizes.items():
        remaining[label][group.subset] += size


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
        _remove(moved, remaining)
        _add(moved, subset, remaining)
        moved.subset = subset


def _too_few(label: str, groups: list[_Group[Subset]], subsets: list[Subset]) -> ConvscopeError:
    sizes = [group.sizes[label] for group in groups if label in group.sizes]
    distinct = f" ({len(sizes)} without duplicates)" if len(sizes) < sum(sizes) else ""
    names = f"the {len(subsets)} folds" if 0 in subsets else ", ".join(str(subset) for subset in subsets)
    return ConvscopeError(
        f"class {label!r} has {sum(sizes)} usable image(s){distinct}, expected at least {len(subsets)}, one "
        f"for each of {names}: add images or exclude the class"
    )
