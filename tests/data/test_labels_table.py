"""The table of labels: spellings of one path, and quotes that do not end."""

from pathlib import Path

import pytest

from convscope.data.folder import find_candidates
from convscope.errors import ConvscopeError


def write_table(folder: Path, *rows: str) -> Path:
    (folder / "labels.csv").write_text("\n".join(["path,class", *rows, ""]))
    return folder / "labels.csv"


def test_two_spellings_of_a_path_are_one_image(tmp_path: Path) -> None:
    table = write_table(tmp_path, "./3.png,a", "3.png,a", "4.png,b")
    candidates, _ = find_candidates(tmp_path, labels=table)
    assert [candidate.key for candidate in candidates] == ["3.png", "4.png"]


def test_two_spellings_of_a_path_with_two_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"'3\.png' the class 'a' in line 2 and 'b' in line 3"):
        find_candidates(tmp_path, labels=write_table(tmp_path, "./3.png,a", "3.png,b"))


def test_a_quote_that_does_not_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"cannot read dataset\.labels=.*unexpected end of data"):
        find_candidates(tmp_path, labels=write_table(tmp_path, "1.png,a", '2.png,"b', "3.png,a", "4.png,b"))
