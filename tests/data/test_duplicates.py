from collections import Counter
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.data.duplicates import Pair, PerceptualHash, find_pairs, group_duplicates, perceptual_hashes
from convscope.data.inspect import Candidate, Inspected, inspect
from tests.data.corpus import encoded, scene


def hashed(*contents: bytes, folder: Path) -> list[Inspected]:
    for index, content in enumerate(contents):
        (folder / f"{index}.png").write_bytes(content)
    paths = sorted(folder.iterdir())
    return inspect([Candidate(path, "a", path.name, str(path)) for path in paths])[0]


def pairs_of(found: list[Inspected], near: int = 6) -> list[Pair]:
    return find_pairs([each.sha256 for each in found], [each.phash for each in found], near)


def test_the_hash_equals_that_of_imagehash(tmp_path: Path) -> None:
    pixels = [scene(100, 90, seed) for seed in range(20)]  # small enough not to be shrunk beforehand
    found = hashed(*(encoded("PNG", each) for each in pixels), folder=tmp_path)
    for each in found:
        picture = Image.open(each.candidate.path)
        assert f"{each.phash.bits:016x}" == str(imagehash.phash(picture))
        mirror = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        assert bin(each.phash.mirrored ^ int(str(imagehash.phash(mirror)), 16)).count("1") <= 2


def test_recompressed_resized_brightened_and_mirrored_copies_are_near_duplicates(tmp_path: Path) -> None:
    pixels = scene(320, 240, seed=1)
    picture = Image.fromarray(pixels)
    copies = [
        encoded("PNG", pixels),
        encoded("JPEG", pixels, quality=30),
        encoded("PNG", np.array(picture.resize((200, 150)))),
        encoded("PNG", np.clip(pixels * 0.9 + 20, 0, 255).astype(np.uint8)),
        encoded("PNG", pixels[:, ::-1]),
        encoded("PNG", scene(320, 240, seed=2)),
    ]
    pairs = pairs_of(hashed(*copies, folder=tmp_path))
    assert {(pair.first, pair.second) for pair in pairs} >= {(0, 1), (0, 2), (0, 3), (0, 4)}
    assert all(5 not in (pair.first, pair.second) for pair in pairs)


def test_uniform_pictures_are_compared_by_their_bytes(tmp_path: Path) -> None:
    flat = [np.full((40, 40, 3), value, np.uint8) for value in (10, 200, 200)]
    found = hashed(*(encoded("PNG", each) for each in flat), folder=tmp_path)
    assert [each.phash for each in found] == [None, None, None]
    assert pairs_of(found) == [Pair(1, 2, 0)]


def test_hashes_of_a_stack_equal_the_hashes_of_single_pictures() -> None:
    stack = np.random.default_rng(0).integers(0, 256, (7, 32, 32)).astype(np.uint8)
    assert perceptual_hashes(stack) == [perceptual_hashes(each[None])[0] for each in stack]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30), st.integers(0, 40))
def test_all_pairs_within_the_distance_are_returned(bits: list[int], near: int) -> None:
    hashes = [PerceptualHash(each, each) for each in bits]
    expected = {
        (i, j): (bits[i] ^ bits[j]).bit_count()
        for j in range(len(bits))
        for i in range(j)
        if (bits[i] ^ bits[j]).bit_count() <= near
    }
    found = find_pairs([str(index) for index in range(len(bits))], hashes, near)
    assert {(pair.first, pair.second): pair.distance for pair in found} == expected


def test_pairs_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = np.random.default_rng(0).integers(0, 2**63, 200).tolist()
    hashes = [PerceptualHash(each, each ^ 1) for each in bits]
    digests = [str(index % 150) for index in range(200)]
    whole = find_pairs(digests, hashes, 24)
    monkeypatch.setattr("convscope.data.duplicates._BLOCK", 300)
    assert find_pairs(digests, hashes, 24) == whole
    assert len(whole) > 60
    assert all(pair.distance == 0 for pair in find_pairs(digests, hashes, -1))


def linked(*pairs: tuple[int, int]) -> list[Pair]:
    return [Pair(first, second, 0) for first, second in pairs]


def test_groups_join_pictures_that_are_linked_directly_or_through_others() -> None:
    assert group_duplicates(6, linked((0, 1), (1, 4), (2, 5))).group == [0, 0, 2, 3, 0, 2]


def test_an_image_that_links_two_splits_is_left_out_and_they_stay_apart() -> None:
    parts = ["train", "test", None, None]
    result = group_duplicates(4, linked((0, 2), (1, 2), (1, 3)), splits=parts)
    assert result.group == [0, 1, -1, 1]
    assert result.left_out == {2: ("test", "train")}


def test_of_two_duplicates_in_different_splits_the_later_is_left_out() -> None:
    result = group_duplicates(2, linked((0, 1)), splits=["train", "test"], order=[1, 0])
    assert result.group == [-1, 1]


@given(st.data())
def test_no_group_has_two_splits(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 14))
    index = st.integers(0, count - 1)
    pairs = linked(*data.draw(st.lists(st.tuples(index, index), max_size=20)))
    parts = data.draw(
        st.lists(st.sampled_from([None, None, "train", "test"]), min_size=count, max_size=count)
    )
    result = group_duplicates(count, pairs, splits=parts)
    for number in set(result.group) - {-1}:
        members = [each for each in range(count) if result.group[each] == number]
        assert len({parts[each] for each in members} - {None}) <= 1
    for pair in pairs:  # what is near is together, or one of the two is not there
        ends = {result.group[pair.first], result.group[pair.second]}
        assert len(ends) == 1 or -1 in ends


def test_the_flowers_have_the_pairs_that_were_checked_by_eye(shared: Path) -> None:
    paths = sorted((shared / "data" / "flowers").glob("*/*"))
    found, _ = inspect([Candidate(path, path.parent.name, path.name, str(path)) for path in paths])
    distances = Counter(pair.distance for pair in pairs_of(found, near=8))
    digests = Counter(each.sha256 for each in found)
    assert sum(count > 1 for count in digests.values()) == 6
    assert 30 <= sum(count for distance, count in distances.items() if distance <= 6) <= 36
    assert distances[8] <= 12  # of which a half show the same scene: see NEAR


@pytest.mark.parametrize("near", [0, 3, 6])
def test_the_pairs_of_many_pictures_are_those_of_a_full_comparison(
    monkeypatch: pytest.MonkeyPatch, near: int
) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**64, 2000, np.uint64)
    for index in range(0, 1000, 2):  # pairs at distances from 0 to 8
        flips = rng.choice(64, rng.integers(0, 9), replace=False)
        bits[index + 1] = bits[index] ^ np.bitwise_or.reduce(np.uint64(1) << flips.astype(np.uint64))
    mirrored = rng.integers(0, 2**64, 2000, np.uint64)
    mirrored[1500] = bits[7] ^ np.uint64(1)
    hashes = [PerceptualHash(int(one), int(other)) for one, other in zip(bits, mirrored, strict=True)]
    digests = list(map(str, range(2000)))
    expected = find_pairs(digests, hashes, near)
    assert len(expected) > 40
    monkeypatch.setattr("convscope.data.duplicates._FEW", 0)
    assert find_pairs(digests, hashes, near) == expected
