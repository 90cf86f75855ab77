"""File names: unique in a folder, safe on every file system."""

import re
from collections.abc import Iterable

_UNSAFE = re.compile(r'[\x00-\x1f<>:"|?*\\]')
_LONGEST = 120  # characters; file systems allow 255 bytes, and other scripts take up to four a character


def file_name(text: str) -> str:
    """`text` as one file name: `/` becomes `.`, what some file system refuses becomes `_`.

    Names longer than 120 UTF-8 bytes are cut; a leading dot, which would hide the file, is replaced.
    """
    name = _UNSAFE.sub("_", text.replace("/", "."))
    name = name.encode()[:_LONGEST].decode(errors="ignore").rstrip(". ")
    return re.sub(r"^\.", "_", name) or "_"


def unique(names: Iterable[str]) -> list[str]:
    """The same names, where the second of equal ones gets `-2`, the third `-3`, and so on.

    Names that differ only by case are equal here: some file systems cannot tell them apart.
    """
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, count = name, 1
        while candidate.casefold() in taken:
            count += 1
            candidate = f"{name}-{count}"
        taken.add(candidate.casefold())
        result.append(candidate)
    return result
