"""The procedural data set: pictures drawn by code, and their masks, as files."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.data.inspect import Candidate
from convscope.data.planted_evidence import CLASSES, TWO_FLOWERS, draw_planted
from convscope.data.procedural import DrawnImage, draw
from convscope.data.procedural_flowers import FLOWERS
from convscope.errors import ConvscopeError, unknown
from convscope.images import save_png
from convscope.parallel import in_processes
from convscope.progress import progress

CHUNK = 8  # pictures per task
FLOWER = "flower"  # the evidence of pictures without planted evidence


@dataclass(frozen=True)
class _Job:
    """One picture to draw, with its parameters and its paths."""

    flower: str
    index: int
    evidence: str
    classes: tuple[str, ...]
    size: int
    seed: int
    difficulty: float
    image: Path
    mask: Path

    @property
    def source(self) -> str:
        return f"procedural:{self.flower}/{self.index}"


def generate(
    folder: Path,
    *,
    classes: Sequence[str] = (),
    images_per_class: int,
    image_size: int,
    difficulty: float,
    seed: int,
    evidence: str = FLOWER,
) -> list[Candidate]:
    """Draw the data set into `folder` on all cores: pictures and masks as PNG files.

    Args:
        folder: the folder; `images/CLASS/` and `masks/CLASS/` are created in it.
        classes: names of flowers; empty for all five, or for three if the evidence is one of two flowers.
        images_per_class: number of pictures of each flower.
        image_size: width and height in pixels.
        difficulty: 0 to 1, see `draw`.
        seed: random seed; the same seed gives the same bytes.
        evidence: "flower", or what decides the class in `draw_planted`.

    Raises:
        ConvscopeError: a class is not the name of a flower, or all flowers are classes and one must not be.
    """
    for name in classes:
        if name not in FLOWERS:
            raise unknown("class", name, FLOWERS)
    chosen = tuple(classes or CLASSES.get(evidence, FLOWERS))
    if evidence == TWO_FLOWERS and len(chosen) == len(FLOWERS):
        raise ConvscopeError(
            f"dataset.evidence={evidence} needs a flower that is not in the classes: expected "
            f"dataset.classes with at most {len(FLOWERS) - 1} of {', '.join(FLOWERS)}"
        )
    jobs = [
        _Job(
            flower,
            index,
            evidence,
            chosen,
            image_size,
            seed,
            difficulty,
            folder / "images" / flower / f"{flower}_{index:04d}.png",
            folder / "masks" / flower / f"{flower}_{index:04d}.png",
        )
        for flower in chosen
        for index in range(images_per_class)
    ]
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    with progress(total=len(jobs), desc="drawing", unit="image") as bar:
        for count in in_processes(_draw_jobs, chunks):
            bar.update(count)
    return [
        Candidate(job.image, job.flower, f"{job.flower}/{job.index:06d}", job.source, job.mask)
        for job in jobs
    ]


def _draw_jobs(jobs: Sequence[_Job]) -> int:
    for job in jobs:
        picture = _draw(job)
        save_png(job.image, picture.pixels)
        save_png(job.mask, picture.mask)
    return len(jobs)


def _draw(job: _Job) -> DrawnImage:
    seed = (job.seed, zlib.crc32(job.flower.encode()), job.index)
    if job.evidence == FLOWER:
        return draw(job.flower, job.size, seed, job.difficulty)
    return draw_planted(
        job.evidence, job.flower, job.classes, size=job.size, seed=seed, difficulty=job.difficulty
    )
