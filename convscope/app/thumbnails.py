"""Thumbnails of image files for the pages."""

from collections.abc import Sequence
from pathlib import Path

from convscope import decode
from convscope.images import fit_within
from convscope.parallel import in_threads
from convscope.render.thumbnail import SIDE, Thumbnail, data_address


def thumbnails(items: Sequence[tuple[Path | None, str, str]]) -> list[Thumbnail]:
    """Return thumbnails of (path, title, remark). Without a readable file, a thumbnail has no picture."""
    return list(in_threads(lambda item: _thumbnail(*item), items))


def _thumbnail(path: Path | None, title: str, remark: str) -> Thumbnail:
    try:
        pixels = decode.load(path) if path else None
    except decode.DecodeError:
        pixels = None
    return Thumbnail(None if pixels is None else data_address(fit_within(pixels, SIDE)), title, remark)
