"""Who goes where: a stratified, seeded split of labelled images."""

import zlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from convscope.errors import ConvscopeError


def part_sizes(count: int, validation: float, test: float, *, of: str) -> tuple[int, int, int]:
    """How many of `count` images go to train, validation and test.

    Validation gets `validation * count`, rounded. Test gets its fraction of the total, or, with
    `of="remainder"`, of what validation left. With three images or more no part is empty.
    """
    for_validation = round(validation * count)
    for_test = round(test * (count - for_validation if of == "remainder" else count))
    if count >= 3:
        for_validation = min(max(for_validation, 1), count - 2)
        for_test = min(max(for_test, 1), count - for_validation - 1)
    return count - for_validation - for_test, for_validation, for_test


def assign(
    labels: Sequence[str],
    keys: Sequence[str],
    *,
    validation: float,
    test: float,
    of: str,
    seed: int,
) -> list[str]:
    """The split of each image: "train", "validation" or "test".

    Each class is shuffled and cut by itself. The result depends on the labels, the keys and the seed
    alone, not on the order in which they come.

    Args:
        labels: the class of each image.
        keys: a name of each image, unique in its class, that is the same on every machine.
        validation: fraction of each class for validation.
        test: fraction of each class for test, of the total or of what validation left.
        of: "remainder" or "total".
        seed: decides which image goes where.

    Raises:
        ConvscopeError: a class has fewer than three images.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        members[label].append(index)
    result = [""] * len(labels)
    for label, indices in members.items():
        if len(indices) < 3:
            raise ConvscopeError(
                f"class {label!r} has {len(indices)} usable image(s), expected at least 3, one for "
                "each of train, validation and test: add images or remove its folder"
            )
        indices.sort(key=lambda index: keys[index])
        rng = np.random.default_rng([seed, zlib.crc32(label.encode())])
        order = rng.permutation(len(indices))
        train, for_validation, _ = part_sizes(len(indices), validation, test, of=of)
        for place, position in enumerate(order):
            part = "train" if place < train else "validation"
            result[indices[position]] = part if place < train + for_validation else "test"
    return result
