"""Tables of classes: CSV files with the columns path and class, and if wanted split."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.errors import ConvscopeError
from convscope.files import open_regular


@dataclass(frozen=True)
class Row:
    """A row of a table: the number of its line from 1, and its cells; a cell that is not given is empty."""

    line: int
    path: str
    label: str
    split: str


def read_table(key: str, table: Path) -> list[Row]:
    """Return the rows of a CSV file in UTF-8.

    Args:
        key: the setting that names the file, for the error.
        table: the file.

    Raises:
        ConvscopeError: it cannot be read, or has no columns path and class.
    """
    try:
        with io.TextIOWrapper(open_regular(table), "utf-8-sig", newline="") as file:
            return list(_rows(table, file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise ConvscopeError(
            f"cannot read {key}={table} ({error}): expected a CSV file in UTF-8 with the columns path and "
            "class"
        ) from None


def _rows(table: Path, file: io.TextIOWrapper) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)  # an open quote is an error
    columns = [name.strip() for name in next(reader, [])]
    if not {"path", "class"} <= set(columns):
        raise ConvscopeError(
            f"{table} has the columns {', '.join(columns) or 'none'}: expected path and class"
        )
    path, label, split = (columns.index(n) if n in columns else None for n in ("path", "class", "split"))
    for row in reader:
        if row:
            yield Row(reader.line_num, _cell(row, path), _cell(row, label), _cell(row, split))


def _cell(row: Sequence[str], column: int | None) -> str:
    return "" if column is None or column >= len(row) else row[column].strip()
