"""Duplicates: equal or nearly equal pictures, which must be in the same split.

The perceptual hash is the 64-bit pHash (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash
Functions, 2010; the same bits as `phash` of the package ImageHash). Each bit stands for one of the lowest
8 × 8 frequencies in the cosine transform of a grey 32 × 32 miniature: it is 1 if the coefficient is above the
median of the 64 coefficients.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn

SIDE = 32  # pixels of the miniature
LEAST_DEVIATION = 2.0  # grey levels; the hash of a flatter miniature is noise
NEAR = 6  # bits; in the flowers, 18 of 19 pairs at distance 2 to 6 show one scene, but only 4 of 9 at 8
_BLOCK = 1 << 21  # pairs that are compared at once, which limits the memory
_FEW = 20_000  # pictures; all pairs of them take about a second
_NARROWEST = 6  # bits of a part of the hash; narrower parts select too many pictures
_ROWS = 1024


@dataclass(frozen=True, slots=True)
class PerceptualHash:
    """The 64-bit hashes of a picture and of its mirror image; similar pictures have similar bits."""

    bits: int
    mirrored: int


@dataclass(frozen=True, slots=True)
class Pair:
    """The indices of two pictures, the smaller first, and the number of different bits of their hashes."""

    first: int
    second: int
    distance: int


def perceptual_hashes(miniatures: np.ndarray) -> list[PerceptualHash | None]:
    """Return the pHash of each picture, or None for an almost uniform picture.

    Args:
        miniatures: uint8 (n, 32, 32), grey.
    """
    grey = miniatures.astype(np.float64)
    straight, mirrored = _phash(grey), _phash(grey[:, :, ::-1])
    flat = grey.std(axis=(1, 2)) < LEAST_DEVIATION
    return [
        None if is_flat else PerceptualHash(int(bits), int(other))
        for bits, other, is_flat in zip(straight, mirrored, flat, strict=True)
    ]


def _phash(grey: np.ndarray) -> np.ndarray:
    lowest = dctn(grey, axes=(1, 2))[:, :8, :8].reshape(len(grey), 64)
    lowest = lowest.round(4)  # a bit must not depend on rounding errors, which differ between machines
    bits = lowest > np.median(lowest, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def find_pairs(
    digests: Sequence[str], hashes: Sequence[PerceptualHash | None], near: int = NEAR
) -> list[Pair]:
    """Return the pairs of equal files (distance 0) and of pictures or mirror images within `near` bits.

    Equal files are paired with the first of them only; the others are not compared by their hashes.

    Args:
        digests: a hash of the bytes of each file.
        hashes: the perceptual hash of each file, or None to compare only its bytes.
        near: the largest Hamming distance, 0 to 64; below 0, only equal files are paired.
    """
    first: dict[str, int] = {}
    for index, digest in enumerate(digests):
        first.setdefault(digest, index)
    equal = [Pair(first[digest], index, 0) for index, digest in enumerate(digests) if first[digest] != index]
    kept = [index for index in first.values() if hashes[index] is not None]
    return equal + (_near_pairs(kept, hashes, near) if near >= 0 else [])


def _near_pairs(kept: list[int], hashes: Sequence[PerceptualHash | None], near: int) -> list[Pair]:
    known = [value for value in (hashes[index] for index in kept) if value is not None]
    bits = np.array([value.bits for value in known], np.uint64)
    mirrored = np.array([value.mirrored for value in known], np.uint64)
    found: dict[tuple[int, int], int] = {}
    for rows, columns, other in _comparisons(bits, mirrored, near):
        step = max(1, _BLOCK // max(1, len(columns)))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            distance = np.bitwise_count(bits[some, None] ^ other[columns])
            for a, b in np.argwhere((distance <= near) & (some[:, None] < columns)):
                pair = int(some[a]), int(columns[b])
                found[pair] = min(found.get(pair, 64), int(distance[a, b]))
    return [Pair(kept[a], kept[b], distance) for (a, b), distance in sorted(found.items())]


def _comparisons(
    bits: np.ndarray, mirrored: np.ndarray, near: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield indices to compare with each other, int (m,) and int (n,), and the hashes of the latter.

    Few pictures are all compared. Of many, only those are that agree in one of `near` + 1 parts of the hash:
    if at most `near` bits differ, at least one part has no different bit (M. Norouzi et al., Fast Search in
    Hamming Space with Multi-Index Hashing, 2012).
    """
    width = 64 // (near + 1)
    if len(bits) <= _FEW or width < _NARROWEST:
        for start in range(0, len(bits), _ROWS):
            rows, columns = np.arange(start, min(start + _ROWS, len(bits))), np.arange(start, len(bits))
            yield rows, columns, bits
            yield rows, columns, mirrored
        return
    for part in range(near + 1):
        shift, mask = np.uint64(part * width), np.uint64((1 << width) - 1)
        of_value = _by_value((bits >> shift) & mask)
        for other in (bits, mirrored):
            columns_of = _by_value((other >> shift) & mask)
            for value in of_value.keys() & columns_of.keys():
                yield of_value[value], columns_of[value], other


def _by_value(values: np.ndarray) -> dict[int, np.ndarray]:
    """Return the indices of each value, in ascending order."""
    order = np.argsort(values, kind="stable")
    distinct, starts = np.unique(values[order], return_index=True)
    return dict(zip(distinct.tolist(), np.split(order, starts[1:]), strict=True))


@dataclass(frozen=True)
class Grouping:
    """The groups of pictures that must be in the same split.

    `group` has the index of the first picture of its group for each picture, or -1 for a picture that is left
    out. `left_out` has, by the index of such a picture, the splits that it would link.
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
    """Group pictures that are paired directly or through others, but not pictures of different splits.

    Args:
        count: number of pictures.
        pairs: the pictures that belong together.
        splits: the current split of each picture, or None.
        fixed: whether a picture is always kept.
        order: the order in which pictures are added. A picture that would link two splits is left out, so
            the earlier ones are kept.
    """
    splits = splits or [None] * count
    neighbours = defaultdict(list)
    for pair in pairs:
        neighbours[pair.first].append(pair.second)
        neighbours[pair.second].append(pair.first)
    parent = list(range(count))
    split_of = list(splits)  # the split of a group, by the index of its root
    joined = [False] * count
    left_out = {}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index in order if order is not None else range(count):
        near = sorted({root(other) for other in neighbours[index] if joined[other]})
        linked = {split for split in (split_of[index], *(split_of[other] for other in near)) if split}
        if len(linked) > 1 and not (fixed and fixed[index]):
            left_out[index] = tuple(sorted(linked))
            continue
        joined[index] = True
        for other in near:
            a, b = root(index), root(other)
            if split_of[a] and split_of[b] and split_of[a] != split_of[b]:
                continue  # happens only between fixed pictures
            low, high = min(a, b), max(a, b)
            parent[high] = low
            split_of[low] = split_of[low] or split_of[high]
    return Grouping([root(index) if joined[index] else -1 for index in range(count)], left_out)
