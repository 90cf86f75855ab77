"""The report on a data set: one HTML file that contains its pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope.files import write_text
from convscope.render import templates
from convscope.render.thumbnail import Thumbnail

_POINTS = 1500  # the maximum in the chart of sizes; more points overlap


@dataclass(frozen=True)
class LeftOut:
    """The files that were left out for one reason: how many, and thumbnails of some."""

    reason: str
    count: int
    shown: Sequence[Thumbnail]


@dataclass(frozen=True)
class DuplicateGroup:
    """Equal or nearly equal pictures; `conflict` is true if they are in more than one class."""

    kind: str
    conflict: bool
    pictures: Sequence[Thumbnail]


@dataclass(frozen=True)
class DatasetReport:
    """The contents of the report.

    Attributes:
        title: the heading.
        facts: pairs (name, value).
        splits: the names of the splits.
        counts: by class, the number of images in each split.
        sizes: (width, height) of each image in pixels.
        samples: by class, a few pictures.
        left_out: the files that are not in the data set, by reason.
        groups: the groups of duplicates that are shown.
        group_count: the number of all groups of duplicates.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    splits: Sequence[str]
    counts: Mapping[str, Sequence[int]]
    sizes: Sequence[tuple[int, int]]
    samples: Mapping[str, Sequence[Thumbnail]]
    left_out: Sequence[LeftOut]
    groups: Sequence[DuplicateGroup]
    group_count: int


def write_report(path: Path, report: DatasetReport) -> None:
    """Write the report as one HTML file; the template escapes all names."""
    write_text(
        path,
        templates.render(
            "dataset_page.html.j2",
            report=report,
            largest=max(sum(counts) for counts in report.counts.values()),
            sizes=_size_chart(report.sizes),
            aspects=_aspect_bars(report.sizes),
        ),
    )


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis of `length` pixels from the value `low` to the value `high`."""

    low: float
    high: float
    length: int

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The ticks, (position in pixels, label)."""
        steps = [base * 10**power for power in range(6) for base in (1, 2, 5)]
        return [(self.position(step), f"{step:,}") for step in steps if self.low <= step <= self.high]

    def position(self, value: float) -> float:
        """Return the position of a value in pixels."""
        span = np.log(self.high / self.low)
        return float(np.round(np.log(value / self.low) / span * self.length, 1))


@dataclass(frozen=True)
class _SizeChart:
    x: _Axis
    y: _Axis
    points: Sequence[tuple[float, float]]
    share: str


def _size_chart(sizes: Sequence[tuple[int, int]]) -> _SizeChart | None:
    """Return the chart of width and height; None if all images have the same size."""
    if len(set(sizes)) == 1:
        return None
    step = max(1, -(-len(sizes) // _POINTS))
    values = np.array(sizes)
    low, high = values.min() / 1.15, values.max() * 1.15
    x, y = _Axis(low, high, 460), _Axis(low, high, 300)
    points = sorted({(x.position(width), y.length - y.position(height)) for width, height in sizes[::step]})
    return _SizeChart(x, y, points, "" if step == 1 else f"1 of every {step} images is shown")


def _aspect_bars(sizes: Sequence[tuple[int, int]]) -> list[tuple[str, int, float]]:
    """Return (name, count, count divided by the largest count) for each range of aspect ratios."""
    edges = [0, 0.55, 0.7, 0.8, 0.95, 1.05, 1.25, 1.45, 1.8, np.inf]
    labels = ["narrower", "2:3", "3:4", "4:5", "square", "5:4", "4:3", "3:2", "wider"]
    ratios = np.array([width / height for width, height in sizes])
    counts = np.histogram(ratios, edges)[0]
    return [
        (label, int(count), float(count / counts.max()))
        for label, count in zip(labels, counts, strict=True)
        if count
    ]
