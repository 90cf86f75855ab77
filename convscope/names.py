"""File names: unique in a folder, safe on every file system."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_UNSAFE = re.compile(r'[\x00-\x1f<>:"|?*\\]')
_LONGEST = 120  # characters; file systems allow 255 bytes, and other scripts take up to four a character


def printable(text: str) -> str:
    """`text` in UTF-8: bytes that are none, in a file name from elsewhere, are written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def file_name(text: str) -> str:
    """`text` as one file name: `/` becomes `.`, what some file system refuses becomes `_`.

    Names longer than 120 UTF-8 bytes are cut; a leading dot, which would hide the file, is replaced.
    """
    name = _UNSAFE.sub("_", printable(text).replace("/", "."))
    if len(name.encode()) > _LONGEST:  # what is cut off still tells names apart
        mark = "~" + hashlib.sha256(name.encode()).hexdigest()[:8]
        name = name.encode()[: _LONGEST - len(mark)].decode(errors="ignore") + mark
    name = name.rstrip(". ")
    return re.sub(r"^\.", "_", name) or "_"


def unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The same names, where the second of equal ones gets `-2`, the third `-3`, and so on.

    Names that differ only by case or by the form of Unicode are equal here: some file systems cannot tell
    them apart. None of the names in `taken` comes up.
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


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
