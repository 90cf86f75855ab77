"""The report on a data set: one HTML file with all its pictures inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope.files import write_text
from convscope.render import templates
from convscope.render.thumbnail import Thumbnail

_POINTS = 1500  # of the chart of sizes: more hide each other


@dataclass(frozen=True)
class LeftOut:
    """The files that were left out for one reason: those shown, and how many there are in all."""

    reason: str
    count: int
    shown: Sequence[Thumbnail]


@dataclass(frozen=True)
class Group:
    """Pictures that are the same, or nearly; `conflict` says that they are in several classes."""

    kind: str
    conflict: bool
    pictures: Sequence[Thumbnail]


@dataclass(frozen=True)
class Report:
    """What the report says.

    `facts` are (name, value); `counts` has each class' images in train, validation and test; `sizes` are
    (width, height) in pixels; `contact` has a few pictures of each class; `groups` are duplicates, of
    which there are `group_count` in all.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    parts: Sequence[str]
    counts: Mapping[str, Sequence[int]]
    sizes: Sequence[tuple[int, int]]
    contact: Mapping[str, Sequence[Thumbnail]]
    left_out: Sequence[LeftOut]
    groups: Sequence[Group]
    group_count: int


def write_report(path: Path, report: Report) -> None:
    """Write the report; names in it are escaped."""
    write_text(
        path,
        templates.render(
            "dataset_page.html.j2",
            report=report,
            largest=max(sum(each) for each in report.counts.values()),
            sizes=_size_chart(report.sizes),
            aspects=_aspect_bars(report.sizes),
        ),
    )


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis in pixels of the picture: places of the data, and (place, label) of its ticks."""

    low: float
    high: float
    length: int

    @property
    def ticks(self) -> list[tuple[float, str]]:
        steps = [base * 10**power for power in range(6) for base in (1, 2, 5)]
        return [(self.place(step), f"{step:,}") for step in steps if self.low <= step <= self.high]

    def place(self, value: float) -> float:
        span = np.log(self.high / self.low)
        return float(np.round(np.log(value / self.low) / span * self.length, 1))


@dataclass(frozen=True)
class _SizeChart:
    x: _Axis
    y: _Axis
    points: Sequence[tuple[float, float]]
    share: str


def _size_chart(sizes: Sequence[tuple[int, int]]) -> _SizeChart | None:
    """Width against height; None if all are of one size."""
    if len(set(sizes)) == 1:
        return None
    step = max(1, -(-len(sizes) // _POINTS))
    values = np.array(sizes)
    low, high = values.min() / 1.15, values.max() * 1.15
    x, y = _Axis(low, high, 460), _Axis(low, high, 300)
    points = sorted({(x.place(width), y.length - y.place(height)) for width, height in sizes[::step]})
    return _SizeChart(x, y, points, "" if step == 1 else f"one of {step} images is drawn")


def _aspect_bars(sizes: Sequence[tuple[int, int]]) -> list[tuple[str, int, float]]:
    """(name, count, share of the largest) of images by width over height."""
    edges = [0, 0.55, 0.7, 0.8, 0.95, 1.05, 1.25, 1.45, 1.8, np.inf]
    labels = ["narrower", "2:3", "3:4", "4:5", "square", "5:4", "4:3", "3:2", "wider"]
    ratios = np.array([width / height for width, height in sizes])
    counts = np.histogram(ratios, edges)[0]
    return [
        (label, int(count), float(count / counts.max()))
        for label, count in zip(labels, counts, strict=True)
        if count
    ]
