"""Thumbnails of photographs on disk, for the pages."""

from collections.abc import Sequence
from pathlib import Path

from convscope import decode
from convscope.images import fit_within
from convscope.parallel import in_threads
from convscope.render.thumbnail import SIDE, Thumbnail, data_address


def thumbnails(wanted: Sequence[tuple[Path | None, str, str]]) -> list[Thumbnail]:
    """Thumbnails of (path, title, remark); without a picture where there is no path, or none in the file."""
    return list(in_threads(lambda each: _thumbnail(*each), wanted))


def _thumbnail(path: Path | None, title: str, remark: str) -> Thumbnail:
    try:
        pixels = decode.load(path) if path else None
    except decode.DecodeError:
        pixels = None
    return Thumbnail(None if pixels is None else data_address(fit_within(pixels, SIDE)), title, remark)
