from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.data.split import assign, part_sizes
from convscope.errors import ConvscopeError


def test_the_flowers_project_took_test_from_what_validation_left() -> None:
    # 1000 images: 150 for validation, then 20 % of 850 for test
    assert part_sizes(1000, 0.15, 0.2, of="remainder") == (680, 150, 170)
    assert part_sizes(1000, 0.15, 0.2, of="total") == (650, 150, 200)


def test_three_images_give_one_to_each_part() -> None:
    assert part_sizes(3, 0.0, 0.0, of="total") == (1, 1, 1)
    assert part_sizes(3, 0.9, 0.05, of="total") == (1, 1, 1)


def test_too_few_images_are_named() -> None:
    with pytest.raises(ConvscopeError, match="class 'rare' has 2 usable"):
        assign(["rare"] * 2, ["a", "b"], validation=0.2, test=0.2, of="total", seed=0)


@given(
    counts=st.lists(st.integers(3, 60), min_size=1, max_size=4),
    validation=st.floats(0, 0.45),
    test=st.floats(0, 0.45),
    of=st.sampled_from(["remainder", "total"]),
    seed=st.integers(0, 9),
    shuffler=st.randoms(use_true_random=False),
)
def test_a_split_is_stratified_and_blind_to_order(
    counts: list[int], validation: float, test: float, of: str, seed: int, shuffler: object
) -> None:
    items = [(f"class{c}", f"image{i}") for c, count in enumerate(counts) for i in range(count)]
    settings = {"validation": validation, "test": test, "of": of, "seed": seed}

    def split(rows: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
        labels, keys = zip(*rows, strict=True)
        return dict(zip(rows, assign(labels, keys, **settings), strict=True))

    parts = split(items)
    shuffled = list(items)
    shuffler.shuffle(shuffled)
    assert split(shuffled) == parts
    for label, count in enumerate(counts):
        found = Counter(part for (name, _), part in parts.items() if name == f"class{label}")
        assert (found["train"], found["validation"], found["test"]) == part_sizes(
            count, validation, test, of=of
        )
        assert min(found[part] for part in ("train", "validation", "test")) >= 1
        if count >= 5:
            assert abs(found["validation"] - validation * count) <= 1


def test_another_seed_is_another_split() -> None:
    keys = [str(index) for index in range(100)]
    first, second = (
        assign(["a"] * 100, keys, validation=0.2, test=0.2, of="total", seed=seed) for seed in (0, 1)
    )
    assert first != second
    assert Counter(first) == Counter(second)
