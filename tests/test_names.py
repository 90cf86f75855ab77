import string

from hypothesis import given
from hypothesis import strategies as st

from convscope.names import file_name, unique


def test_a_slash_becomes_a_dot() -> None:
    assert file_name("trunk/block5_conv3") == "trunk.block5_conv3"


def test_equal_names_get_suffixes_from_two() -> None:
    assert unique(["a", "b", "a", "A", "a-2"]) == ["a", "b", "a-2", "A-3", "a-2-2"]


@given(st.text())
def test_a_file_name_is_safe_everywhere(text: str) -> None:
    name = file_name(text)
    assert 0 < len(name.encode()) <= 120
    assert not set(name) & set('/\\<>:"|?*\0')
    assert not name.startswith(".")


@given(st.lists(st.text(string.ascii_letters[:4] + string.ascii_uppercase[:4] + "-2", max_size=3)))
def test_unique_names_differ_in_more_than_case(names: list[str]) -> None:
    made = unique(names)
    assert len({name.casefold() for name in made}) == len(names)
    assert all(new.startswith(old) for new, old in zip(made, names, strict=True))
