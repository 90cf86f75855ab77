"""Image files of a data set: linked, copied, or converted to PNG, which all decoders read alike."""

import os
import shutil
from pathlib import Path

from convscope import decode
from convscope.errors import ConvscopeError
from convscope.images import save_png


def link_or_copy(source: Path, target: Path, link: str = "auto") -> None:
    """Link or copy a file to `target`.

    Args:
        source: the file.
        target: the new path; its folder is created.
        link: "hardlink", "symlink", "copy", or "auto": a hard link if the file system supports it, else a
            copy.

    Raises:
        ConvscopeError: the file system does not support such a link.
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
                f"split.link={link}: cannot link {source} into {target.parent} ({error.strerror}): "
                "set split.link=copy"
            ) from None
    if not os.path.lexists(target):
        shutil.copyfile(source, target)


def convert_to_png(source: Path, target: Path) -> None:
    """Write the picture in a file as an upright 8-bit RGB PNG.

    Raises:
        DecodeError: the file is not a picture.
    """
    save_png(target, decode.load(source))


def copy_existing(old: Path, new: Path) -> None:
    """Link or copy an image of an existing data set into a new one; a symbolic link stays a link."""
    new.parent.mkdir(parents=True, exist_ok=True)
    if old.is_symlink():
        new.symlink_to(old.readlink())
    else:
        link_or_copy(old, new)
