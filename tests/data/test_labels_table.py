"""The table of labels: spellings of one path, and quotes that do not end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from convscope.data import inspect as inspect_module
from convscope.data.folder import find_candidates
from convscope.data.inspect import Candidate
from convscope.errors import ConvscopeError
from convscope.images import save_png


def write_table(folder: Path, *rows: str) -> Path:
    (folder / "labels.csv").write_text("\n".join(["path,class", *rows, ""]))
    return folder / "labels.csv"


def test_two_spellings_of_a_path_are_one_image(tmp_path: Path) -> None:
    (tmp_path / "3.png").touch()
    table = write_table(tmp_path, "./3.png,a", "3.png,a", "4.png,b")
    candidates, _ = find_candidates(tmp_path, labels=table)
    assert [candidate.key for candidate in candidates] == ["3.png", "4.png"]


def test_two_spellings_of_a_path_with_two_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"'3\.png' the class 'a' in line 2 and 'b' in line 3"):
        find_candidates(tmp_path, labels=write_table(tmp_path, "./3.png,a", "3.png,b"))


def test_a_quote_that_does_not_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"cannot read dataset\.labels=.*unexpected end of data"):
        find_candidates(tmp_path, labels=write_table(tmp_path, "1.png,a", '2.png,"b', "3.png,a", "4.png,b"))


def test_a_table_without_an_existing_file_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path, "photos/1.png,a", "photos/2.png,b")
    with pytest.raises(ConvscopeError, match=r"lists 2 files, such as photos/1\.png, but none of them is in"):
        find_candidates(tmp_path, labels=table)


def test_rows_may_be_shorter_or_longer_than_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    table = write_table(tmp_path, "1.png,a,more", "", "2.png", "3.png, b ")
    candidates, rejected = find_candidates(tmp_path, labels=table)
    assert [(candidate.key, candidate.label) for candidate in candidates] == [("1.png", "a"), ("3.png", "b")]
    assert [entry.detail for entry in rejected] == ["its class is empty in the table"]


def test_missing_files_are_rejected_without_worker_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("7", "8"):
        save_png(tmp_path / f"{name}.png", np.full((32, 32, 3), int(name), np.uint8))
    paths = [tmp_path / f"{index}.png" for index in range(99)]
    chunks: list[list[Candidate]] = []

    def in_this_process(
        work: Callable[..., object], items: list[list[Candidate]], _: object
    ) -> Iterator[object]:
        chunks.extend(items)
        return map(work, items)

    monkeypatch.setattr(inspect_module, "in_processes", in_this_process)
    kept, rejected = inspect_module.inspect([Candidate(path, "a", path.stem, path.stem) for path in paths])
    assert [[candidate.key for candidate in chunk] for chunk in chunks] == [["7", "8"]]
    assert [image.candidate.key for image in kept] == ["7", "8"]
    assert [entry.source for entry in rejected] == [str(index) for index in range(99) if index not in (7, 8)]
    assert {entry.reason for entry in rejected} == {"missing"}
