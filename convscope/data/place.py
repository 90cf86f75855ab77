"""Placing: an image's file into the data set, as it is or as a PNG that every decoder reads alike."""

import os
import shutil
from pathlib import Path

from convscope import decode
from convscope.errors import ConvscopeError
from convscope.images import save_png


def place(source: Path, target: Path, link: str = "auto") -> None:
    """Bring a file to `target`.

    Args:
        source: the file.
        target: where to, in a folder that is made if need be.
        link: "hardlink", "symlink", "copy", or "auto": a hard link where there are such, else a copy.

    Raises:
        ConvscopeError: the file system has no such links there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    source = source.resolve()
    try:
        if link == "symlink":
            target.symlink_to(source)
        elif link != "copy":
            os.link(source, target)
    except OSError as error:
        if link != "auto":
            raise ConvscopeError(
                f"split.link={link}: no such link from {source} to {target.parent} ({error.strerror}): "
                "expected split.link=copy"
            ) from None
    if not os.path.lexists(target):
        shutil.copyfile(source, target)


def convert(source: Path, target: Path) -> None:
    """Write the picture in a file as an upright 8-bit RGB PNG; raises DecodeError if there is none."""
    save_png(target, decode.load(source))


def carry_over(old: Path, new: Path) -> None:
    """Bring an image of the old data set into the new one that replaces it, linked as it was."""
    new.parent.mkdir(parents=True, exist_ok=True)
    if old.is_symlink():
        new.symlink_to(old.readlink())
    else:
        place(old, new)
