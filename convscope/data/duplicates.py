"""Duplicates: pictures that are the same, or nearly, so that no split may part them.

The perceptual hash is pHash, of 64 bits (Zauner 2010, "Implementation and Benchmarking of Perceptual Image
Hash Functions"; ImageHash's `phash` has the same bits): the lowest 8 × 8 frequencies of the cosine
transform of a grey 32 × 32 miniature, each above their median or not.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn

SIDE = 32  # pixels of the miniature
LEAST_DEVIATION = 2.0  # grey levels; a flatter miniature has no frequencies to tell it by
NEAR = 6  # bits; of the flowers' 19 pairs 2 to 6 apart 18 show the same scene, of the 9 at 8 four
_BLOCK = 1 << 21  # pairs that are compared at once, which bounds the memory


@dataclass(frozen=True, slots=True)
class PerceptualHash:
    """Of a picture, and of its mirror image: 64 bits each, alike where pictures look alike."""

    bits: int
    mirrored: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, by index, the smaller first, and how many of 64 bits tell them apart."""

    first: int
    second: int
    distance: int


def perceptual_hashes(miniatures: np.ndarray) -> list[PerceptualHash | None]:
    """The pHash of each picture; None for those that are nearly of one grey.

    Args:
        miniatures: uint8 (n, 32, 32), grey.
    """
    grey = miniatures.astype(np.float32)
    straight, mirrored = _phash(grey), _phash(grey[:, :, ::-1])
    flat = grey.std(axis=(1, 2)) < LEAST_DEVIATION
    return [
        None if is_flat else PerceptualHash(int(bits), int(other))
        for bits, other, is_flat in zip(straight, mirrored, flat, strict=True)
    ]


def _phash(grey: np.ndarray) -> np.ndarray:
    lowest = dctn(grey, axes=(1, 2))[:, :8, :8].reshape(len(grey), 64)
    bits = lowest > np.median(lowest, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def find_pairs(
    digests: Sequence[str], hashes: Sequence[PerceptualHash | None], near: int = NEAR
) -> list[Pair]:
    """All pairs of equal bytes (distance 0), or of pictures or mirror images at most `near` bits apart.

    Equal files are paired with the first of them only, as is all that is near to them.

    Args:
        digests: a hash of each file's bytes.
        hashes: its perceptual hash, or None to compare it by bytes alone.
        near: the largest Hamming distance, 0..64; below 0, only equal bytes are paired.
    """
    first: dict[str, int] = {}
    for index, digest in enumerate(digests):
        first.setdefault(digest, index)
    same = [Pair(first[digest], index, 0) for index, digest in enumerate(digests) if first[digest] != index]
    kept = [index for index in first.values() if hashes[index] is not None]
    return same + (_near_pairs(kept, hashes, near) if near >= 0 else [])


def _near_pairs(kept: list[int], hashes: Sequence[PerceptualHash | None], near: int) -> list[Pair]:
    known = [each for each in (hashes[index] for index in kept) if each is not None]
    bits = np.array([each.bits for each in known], np.uint64)
    mirrored = np.array([each.mirrored for each in known], np.uint64)
    found = []
    rows = max(1, _BLOCK // max(1, len(kept)))
    for start in range(0, len(kept), rows):
        row = bits[start : start + rows, None]
        distance = np.minimum(np.bitwise_count(row ^ bits[start:]), np.bitwise_count(row ^ mirrored[start:]))
        for a, b in np.argwhere(distance <= near):
            if a < b:
                found.append(Pair(kept[start + a], kept[start + b], int(distance[a, b])))
    return found


@dataclass(frozen=True)
class Grouping:
    """Which pictures belong together: `group` of each, by the index of its first; -1 if left out.

    `left_out` says of each picture that had to go which splits it would have linked.
    """

    group: list[int]
    left_out: dict[int, tuple[str, ...]]


def group_duplicates(
    count: int,
    pairs: Iterable[Pair],
    *,
    splits: Sequence[str | None] | None = None,
    fixed: Sequence[bool] | None = None,
    order: Sequence[int] | None = None,
) -> Grouping:
    """Join what is paired, directly or by way of others, but never two pictures of different splits.

    Args:
        count: how many pictures there are.
        pairs: which of them belong together.
        splits: the split that a picture is in already, or None.
        fixed: whether a picture must be kept whatever it links.
        order: in which order they are joined. One that would link two splits is left out, so those that
            come early stay.
    """
    splits = splits or [None] * count
    beside = defaultdict(list)
    for pair in pairs:
        beside[pair.first].append(pair.second)
        beside[pair.second].append(pair.first)
    parent = list(range(count))
    split_of = list(splits)  # of the group, by its root
    joined = [False] * count
    left_out = {}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index in order if order is not None else range(count):
        near = sorted({root(other) for other in beside[index] if joined[other]})
        linked = {split for split in (split_of[index], *(split_of[each] for each in near)) if split}
        if len(linked) > 1 and not (fixed and fixed[index]):
            left_out[index] = tuple(sorted(linked))
            continue
        joined[index] = True
        for other in near:
            a, b = root(index), root(other)
            if split_of[a] and split_of[b] and split_of[a] != split_of[b]:
                continue  # only between fixed ones
            low, high = min(a, b), max(a, b)
            parent[high] = low
            split_of[low] = split_of[low] or split_of[high]
    return Grouping([root(index) if joined[index] else -1 for index in range(count)], left_out)
