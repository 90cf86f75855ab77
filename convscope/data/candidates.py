"""Candidates: the files a source offers, and what opening them says."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from convscope import images
from convscope.errors import ConvscopeError
from convscope.files import sha256
from convscope.progress import progress


@dataclass(frozen=True)
class Candidate:
    """A file that a source offers: where it is, its class, its key (a path relative to the source).

    `mask` is the path of its ground-truth mask, or None.
    """

    path: Path
    label: str
    key: str
    source: str
    mask: Path | None = None


@dataclass(frozen=True)
class Inspected:
    """A candidate that was decoded whole: its size in pixels and the SHA-256 of its bytes."""

    candidate: Candidate
    width: int
    height: int
    sha256: str


def inspect(candidates: Iterable[Candidate]) -> tuple[list[Inspected], list[dict[str, str]]]:
    """Decode every file whole, in threads.

    Returns:
        those that are images, in the order given, and `{"source", "reason"}` for each that is not.
    """
    kept: list[Inspected] = []
    rejected: list[dict[str, str]] = []
    todo = list(candidates)
    with ThreadPoolExecutor() as pool:
        for candidate, outcome in zip(
            todo,
            progress(pool.map(_open, todo), total=len(todo), desc="inspecting", unit="image"),
            strict=True,
        ):
            if isinstance(outcome, Inspected):
                kept.append(outcome)
            else:
                rejected.append({"source": candidate.source, "reason": outcome})
    return kept, rejected


def _open(candidate: Candidate) -> Inspected | str:
    try:
        height, width, _ = images.load(candidate.path).shape
    except ConvscopeError as error:
        return str(error)
    return Inspected(candidate, width, height, sha256(candidate.path))
