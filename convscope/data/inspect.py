"""Inspection: decode every file of a source completely, and accept or reject it."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from convscope.data.duplicates import SIDE, PerceptualHash, perceptual_hashes
from convscope.decode import Decoded, DecodeError, decode, missing, read, to_rgb
from convscope.parallel import in_processes
from convscope.progress import progress

CHUNK = 32  # files per task; their hashes are computed together
ENDINGS = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file of a source: its path, its class, and its key (the path relative to the source).

    `source` is the origin for the manifest, `mask` the path of the ground-truth mask or None, and `split` the
    split in the source or None.
    """

    path: Path
    label: str
    key: str
    source: str
    mask: Path | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Inspected:
    """A candidate that was decoded completely.

    `width` and `height` are those of the upright picture in pixels. `sha256` is the hash of the bytes of the
    file, `phash` the perceptual hash or None for a uniform picture. `traits` names unusual properties.
    `ending` is the correct suffix of the file name if the file needs no conversion, else None.
    """

    candidate: Candidate
    width: int
    height: int
    sha256: str
    phash: PerceptualHash | None
    traits: tuple[str, ...]
    ending: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that is left out, with the reason and details."""

    source: str
    reason: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """Return the entry of the manifest."""
        return {"source": self.source, "reason": self.reason, "detail": self.detail}


def inspect(
    candidates: Sequence[Candidate], *, min_size: int = 1, workers: int | None = None
) -> tuple[list[Inspected], list[Rejected]]:
    """Decode every file completely, in worker processes.

    Args:
        candidates: the files.
        min_size: smallest accepted width and height in pixels.
        workers: number of processes; None is one per core.

    Returns:
        The usable pictures and the rejected files, each in the given order; missing files come first.
    """
    kept: list[Inspected] = []
    rejected: list[Rejected] = []
    present = []
    for candidate in candidates:  # a table may list a million missing files: too many for the workers
        if os.path.lexists(candidate.path):
            present.append(candidate)
        else:
            error = missing(candidate.path)
            rejected.append(Rejected(candidate.source, error.reason, error.detail))
    chunks = [present[start : start + CHUNK] for start in range(0, len(present), CHUNK)]
    with progress(total=len(present), desc="inspecting", unit="image") as bar:
        for outcomes in in_processes(partial(_inspect, min_size=min_size), chunks, workers):
            kept += [outcome for outcome in outcomes if isinstance(outcome, Inspected)]
            rejected += [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
            bar.update(len(outcomes))
    return kept, rejected


def _inspect(candidates: Sequence[Candidate], min_size: int) -> list[Inspected | Rejected]:
    """Inspect one chunk: decode one picture after the other, then compute all perceptual hashes at once."""
    rejected = []
    accepted = []
    miniatures = []
    for candidate in candidates:
        try:
            content = read(candidate.path)
            decoded = decode(content, candidate.path, grey=True)
            reason_and_detail = _reason_to_reject(decoded, min_size)
            if reason_and_detail:
                rejected.append(Rejected(candidate.source, *reason_and_detail))
                continue
            miniatures.append(_miniature(decoded, candidate.path))
        except DecodeError as error:
            rejected.append(Rejected(candidate.source, error.reason, error.detail))
            continue
        traits = _traits(decoded, candidate.path)
        ending = ENDINGS[decoded.format][0] if decoded.is_plain else None
        digest = hashlib.sha256(content).hexdigest()
        accepted.append((candidate, *_upright_size(decoded), digest, traits, ending))
    stack = np.frombuffer(b"".join(miniatures), np.uint8).reshape(-1, SIDE, SIDE)
    kept = [
        Inspected(candidate, width, height, digest, phash, traits, ending)
        for (candidate, width, height, digest, traits, ending), phash in zip(
            accepted, perceptual_hashes(stack), strict=True
        )
    ]
    return [*kept, *rejected]


def _reason_to_reject(decoded: Decoded, min_size: int) -> tuple[str, str] | None:
    """Return the reason and the details if a decoded picture cannot be used, else None."""
    if decoded.is_animated:
        return "animated", f"a {decoded.format} with several frames"
    if min(decoded.image.size) < min_size:
        return (
            "too small",
            f"{decoded.image.width}×{decoded.image.height} pixels; expected at least {min_size} per side",
        )
    return None


def _upright_size(decoded: Decoded) -> tuple[int, int]:
    width, height = decoded.image.size
    return (height, width) if decoded.orientation >= 5 else (width, height)


def _miniature(decoded: Decoded, path: Path) -> bytes:
    """Return the upright grey picture in 32 × 32 pixels, the input of the perceptual hash."""
    image = decoded.image if decoded.is_plain else Image.fromarray(to_rgb(decoded, path))
    factor = min(image.size) // (3 * SIDE // 2)  # a smaller picture would miss near duplicates
    if factor > 1:
        image = image.reduce(factor)
    if image.mode != "L":
        image = image.convert("L")
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS).tobytes()


def _traits(decoded: Decoded, path: Path) -> tuple[str, ...]:
    """Return the names of the unusual properties of a picture; the report counts them."""
    mode, ending = decoded.mode, path.suffix
    if decoded.is_plain and mode == "RGB" and ending in ENDINGS[decoded.format]:
        return ()
    traits = {
        "turned by EXIF": decoded.orientation > 1,
        "damaged EXIF": decoded.orientation == 0,
        "CMYK": mode == "CMYK",
        "palette": mode in ("P", "PA"),
        "alpha": decoded.has_alpha,
        "16 bits": decoded.is_deep,
        "grey": mode in ("L", "LA", "1") or mode.startswith("I"),
        decoded.format: decoded.format not in ENDINGS,
        "ending in capitals": ending != ending.lower(),
        "wrong ending": ending.lower() not in ENDINGS.get(decoded.format, (ending.lower(),)),
    }
    return tuple(name for name, holds in traits.items() if holds)
