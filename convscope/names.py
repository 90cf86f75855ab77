"""Names of files, unique in a folder and safe on every file system, and names of classes."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

_UNSAFE = re.compile(r'[\x00-\x1f<>:"|?*\\]')
_LONGEST = 120  # bytes; file systems allow 255, but names get suffixes


def printable(text: str) -> str:
    """Return `text`, with bytes that are not valid UTF-8 replaced by escape sequences."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def file_name(text: str) -> str:
    """Return `text` as a file name: `/` becomes `.`, and characters that a file system refuses become `_`.

    Names longer than 120 UTF-8 bytes are shortened. A leading dot would hide the file, so it becomes `_`.
    """
    name = _UNSAFE.sub("_", printable(text).replace("/", "."))
    if len(name.encode()) > _LONGEST:  # the hash keeps different names different
        mark = "~" + hashlib.sha256(name.encode()).hexdigest()[:8]
        name = name.encode()[: _LONGEST - len(mark)].decode(errors="ignore") + mark
    name = name.rstrip(". ")
    return re.sub(r"^\.", "_", name) or "_"


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Return the names; the second of equal names gets the suffix `-2`, the third `-3`, and so on.

    Names that differ only in case or in Unicode normalization are equal, as on some file systems. No result
    is in `taken`.
    """
    used = {_folded(name) for name in taken}
    counts: Counter[str] = Counter()
    result = []
    for name in names:
        candidate = name
        while _folded(candidate) in used:
            counts[_folded(name)] += 1
            candidate = f"{name}-{counts[_folded(name)] + 1}"
        used.add(_folded(candidate))
        result.append(candidate)
    return result


def check_class_names(names: Any, key: str) -> None:
    """Raise ValueError unless `names`, the value of `key` in a JSON file, is a list of unique texts."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key} is not a list of texts")
    for name in names:
        name.encode()  # JSON can hold halves of a character, which cannot be written
    if len(set(names)) < len(names):
        raise ValueError(f"{key} lists {max(names, key=names.count)!r} more than once")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
