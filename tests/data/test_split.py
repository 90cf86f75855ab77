from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data.manifest import SPLITS
from convscope.data.split import Fractions, assign_folds, assign_splits
from convscope.errors import ConvscopeError


def test_test_is_a_fraction_of_the_remainder_or_of_the_total() -> None:
    # 1000 images: 150 for validation, then 20 % of 850 for test
    labels, keys = ["a"] * 1000, [str(index) for index in range(1000)]
    for of, expected in (("remainder", (680, 150, 170)), ("total", (650, 150, 200))):
        counts = Counter(assign_splits(labels, keys, fractions=Fractions(0.15, 0.2, of), seed=0))
        assert tuple(counts[part] for part in SPLITS) == expected


@pytest.mark.parametrize(("validation", "test"), [(0.01, 0.01), (0.9, 0.05), (0.15, 0.2)])
def test_three_images_give_one_to_each_split(validation: float, test: float) -> None:
    parts = assign_splits(["a"] * 3, ["x", "y", "z"], fractions=Fractions(validation, test, "total"), seed=0)
    assert sorted(parts) == sorted(SPLITS)


@pytest.mark.parametrize(("validation", "test"), [(0.0, 0.2), (0.2, 0.0), (0.0, 0.0)])
def test_a_split_with_the_fraction_0_gets_no_image(validation: float, test: float) -> None:
    labels, keys = ["a"] * 10 + ["b"] * 5, [str(index) for index in range(15)]
    parts = assign_splits(labels, keys, fractions=Fractions(validation, test, "total"), seed=0)
    expected = {"train": 15 - 3 * (validation + test) / 0.2, "validation": 15 * validation, "test": 15 * test}
    assert Counter(parts) == {split: count for split, count in expected.items() if count}


def test_an_image_keeps_its_split_even_if_the_fraction_is_0() -> None:
    current = ["test", None, None, None]
    parts = assign_splits(
        ["a"] * 4, list("wxyz"), fractions=Fractions(0.0, 0.0, "total"), seed=0, current=current
    )
    assert parts == ["test", "train", "train", "train"]


def test_too_few_images_are_an_error() -> None:
    settings = {"fractions": Fractions(0.2, 0.2, "total"), "seed": 0}
    with pytest.raises(ConvscopeError, match="class 'rare' has 2 usable"):
        assign_splits(["rare"] * 2, ["a", "b"], **settings)
    with pytest.raises(ConvscopeError, match=r"class 'rare' has 4 usable image.s. \(2 without duplicates\)"):
        assign_splits(["rare"] * 4, list("abcd"), [0, 1, 1, 1], **settings)
    with pytest.raises(ConvscopeError, match="expected at least 5, one for each of the 5 folds"):
        assign_folds(["rare"] * 4, list("abcd"), folds=5, seed=0)


@st.composite
def datasets(draw: st.DrawFn, *, mixed: bool) -> list[tuple[str, str, int]]:
    """Rows of (class, key, group): groups of one to six images, of one class or of several."""
    rows = []
    number = 0
    for label in range(draw(st.integers(1, 4))):
        for size in draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 3, 6]), min_size=5, max_size=40)):
            number += 1
            for member in range(size):
                other = mixed and member and draw(st.integers(0, 9)) == 0
                rows.append((f"class{0 if other else label}", f"image{number}-{member}", number))
    return rows


fractions = st.floats(0.05, 0.4)
settings = st.fixed_dictionaries(
    {
        "fractions": st.builds(Fractions, fractions, fractions, st.sampled_from(["remainder", "total"])),
        "seed": st.integers(0, 9),
    }
)


def split(rows: list[tuple[str, str, int]], options: dict) -> dict[tuple[str, str, int], str]:
    labels, keys, groups = zip(*rows, strict=True)
    return dict(zip(rows, assign_splits(labels, keys, groups, **options), strict=True))


@given(rows=datasets(mixed=False), options=settings, shuffler=st.randoms(use_true_random=False))
def test_a_split_is_stratified_grouped_and_independent_of_the_order(
    rows: list, options: dict, shuffler: object
) -> None:
    parts = split(rows, options)
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    assert split(shuffled, options) == parts
    of_group = defaultdict(set)
    for row, part in parts.items():
        of_group[row[2]].add(part)
    assert {len(each) for each in of_group.values()} == {1}
    for label in {row[0] for row in rows}:
        found = Counter(part for row, part in parts.items() if row[0] == label)
        assert all(found[part] for part in SPLITS)
        largest = max(Counter(row[2] for row in rows if row[0] == label).values())
        exact = options["fractions"].counts(found.total())
        if min(exact.values()) >= largest:  # else "none empty" may ask for more
            for part in SPLITS:
                assert abs(found[part] - exact[part]) <= largest


@given(rows=datasets(mixed=True), options=settings)
def test_groups_of_several_classes_stay_together(rows: list, options: dict) -> None:
    parts = split(rows, options)
    of_group = defaultdict(set)
    for row, part in parts.items():
        of_group[row[2]].add(part)
    assert {len(each) for each in of_group.values()} == {1}
    for label in {row[0] for row in rows}:
        found = Counter(part for row, part in parts.items() if row[0] == label)
        largest = max(Counter(row[2] for row in rows).values())
        exact = options["fractions"].counts(found.total())
        if min(exact.values()) >= largest:
            for part in SPLITS:
                assert abs(found[part] - exact[part]) <= largest


@given(rows=datasets(mixed=False), folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_folds_are_stratified_and_grouped(rows: list, folds: int, seed: int) -> None:
    labels, keys, groups = zip(*rows, strict=True)
    numbers = assign_folds(labels, keys, groups, folds=folds, seed=seed)
    assert len(set(zip(groups, numbers, strict=True))) == len(set(groups))
    for label in set(labels):
        found = Counter(number for name, number in zip(labels, numbers, strict=True) if name == label)
        assert sorted(found) == list(range(folds))
        largest = max(Counter(g for name, g in zip(labels, groups, strict=True) if name == label).values())
        if found.total() / folds >= largest:
            assert max(abs(count - found.total() / folds) for count in found.values()) <= largest


@given(rows=datasets(mixed=False), more=datasets(mixed=False), options=settings)
def test_added_images_move_no_other_image_and_keep_the_fractions(
    rows: list, more: list, options: dict
) -> None:
    before = split(rows, options)
    new = [
        (label, f"new-{key}", group + 10_000) for label, key, group in more if label in {r[0] for r in rows}
    ]
    labels, keys, groups = zip(*rows, *new, strict=True)
    placed = [*before.values(), *[None] * len(new)]
    after = assign_splits(labels, keys, groups, **options, current=placed)
    assert after[: len(rows)] == list(before.values())
    for label in set(labels):
        found = Counter(part for name, part in zip(labels, after, strict=True) if name == label)
        exact = options["fractions"].counts(found.total())
        largest = max(Counter(g for name, g in zip(labels, groups, strict=True) if name == label).values())
        if min(options["fractions"].counts(Counter(r[0] for r in rows)[label]).values()) >= largest:
            for part in SPLITS:  # what was off before, and a group more
                assert abs(found[part] - exact[part]) <= 2 * largest


def test_another_seed_gives_another_split() -> None:
    keys = [str(index) for index in range(100)]
    first, second = (
        assign_splits(["a"] * 100, keys, fractions=Fractions(0.2, 0.2, "total"), seed=seed) for seed in (0, 1)
    )
    assert first != second
    assert Counter(first) == Counter(second)


def known_images() -> tuple[list[str], list[str], list[int]]:
    """Return labels, keys and groups of 18 cats and 18 dogs; two groups are larger, one has both classes."""
    labels = ["cat"] * 18 + ["dog"] * 18
    keys = [f"{label}/{index:02}.jpg" for index, label in enumerate(labels)]
    groups = list(range(36))
    groups[3] = groups[4] = 2
    groups[20] = 17
    groups[30] = 31
    return labels, keys, groups


def test_the_splits_of_known_images_never_change() -> None:
    parts = assign_splits(*known_images(), fractions=Fractions(0.15, 0.2, "remainder"), seed=0)
    letters = {"train": ".", "validation": "v", "test": "T"}
    assert "".join(letters[part] for part in parts) == ".......vvTTv...T......vT..T.vv..T..."
    folds = assign_folds(*known_images(), folds=3, seed=0)
    assert "".join(map(str, folds)) == "121112100100221020220200110200111212"


@given(rows=datasets(mixed=False), options=settings, number=st.integers(0, 10**6))
def test_one_more_image_moves_only_groups_at_the_two_limits(rows: list, options: dict, number: int) -> None:
    before = split(rows, options)
    after = split([*rows, ("class0", f"new{number}", -1)], options)
    moved = {row for row in rows if after[row] != before[row]}
    own = [row for row in rows if row[0] == "class0"]
    largest = max(Counter(row[2] for row in own).values())
    exact = options["fractions"].counts(len(own))
    assert {row[0] for row in moved} <= {"class0"}
    if min(exact.values()) >= largest:  # else "none empty" may move other groups
        assert len({row[2] for row in moved}) <= 4


@given(rows=datasets(mixed=False), options=settings, data=st.data())
def test_two_groups_that_become_one_move_few_others(rows: list, options: dict, data: st.DataObject) -> None:
    groups = sorted({row[2] for row in rows if row[0] == "class0"})
    one, other = data.draw(st.lists(st.sampled_from(groups), min_size=2, max_size=2, unique=True))
    labels, keys, numbers = zip(*rows, strict=True)
    before = assign_splits(labels, keys, numbers, **options)
    after = assign_splits(labels, keys, [one if n == other else n for n in numbers], **options)
    moved = {numbers[index] for index in range(len(rows)) if after[index] != before[index]} - {one, other}
    own = [row for row in rows if row[0] == "class0"]
    sizes = Counter(row[2] for row in own)
    exact = options["fractions"].counts(len(own))
    if min(exact.values()) >= sizes[one] + sizes[other] and min(exact.values()) >= max(sizes.values()):
        assert sum(sizes[number] for number in moved) <= 4 * (sizes[one] + sizes[other] + max(sizes.values()))
