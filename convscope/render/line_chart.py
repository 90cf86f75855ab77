"""Charts of runs as SVG: lines and dots with axes. The template draws and escapes them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 460, 260  # of the area between the axes
COLORS = ("#c2410c", "#222222", "#2563a8", "#5b8c3a", "#8b5a9e", "#b08a2e")
OTHER_COLOR = "#a9adb6"
_MARGIN = 40.0  # pixels beside the lowest and the highest number
_TICK_DISTANCE = 50.0  # pixels between two labels
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A line or, if `joined` is false, dots: positions in pixels, colour, label."""

    points: Sequence[tuple[float, float]]
    color: str
    label: str
    joined: bool


@dataclass(frozen=True)
class LineChart:
    """A chart; ticks are pairs (position in pixels, label)."""

    title: str
    x_label: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    lines: Sequence[Line]
    note: str = ""


def curves(title: str, series: Mapping[str, Points]) -> LineChart | None:
    """Return a chart of values by epoch; the first six lines are coloured. None without values.

    A few values far above all others, as of a training that diverges, are cut.
    """
    known = {name: [point for point in points if math.isfinite(point[1])] for name, points in series.items()}
    values = [value for points in known.values() for _, value in points]
    if not values:
        return None
    highest = max(values)
    limit = 2 * float(np.quantile(values, 0.9))
    is_cut = highest > limit > 0
    x = _Scale(1, max(2, *(epoch for points in known.values() for epoch, _ in points)), WIDTH)
    y = _Scale.around(min(values), limit if is_cut else highest, HEIGHT)
    lines = [
        Line(
            [(x.position(epoch), y.from_top(min(value, y.high))) for epoch, value in points],
            COLORS[index] if index < len(COLORS) else OTHER_COLOR,
            name,
            joined=True,
        )
        for index, (name, points) in enumerate(known.items())
    ]
    note = f"values above {y.high:.3g} are cut" if is_cut else ""
    step = max(1, round(x.high / 6))
    x_ticks = [(x.position(epoch), str(epoch)) for epoch in range(1, int(x.high) + 1, step)]
    return LineChart(title, "epoch", x_ticks, y.ticks_from_top(), lines[::-1], note)  # the best on top


def by_setting(title: str, x_label: str, values: Sequence[tuple[str, float, str]]) -> LineChart | None:
    """Return a chart of a metric against a setting: a dot for each run, a line through the means.

    Numbers have a scale, which is logarithmic if the highest is at least ten times the lowest; other values
    have equal distances.

    Args:
        title: the heading.
        x_label: the name of the setting.
        values: for each run, the value of the setting, the metric and the name of the run.
    """
    known = [(given, metric, name) for given, metric, name in values if math.isfinite(metric)]
    spelled = {_in_order(given): given for given, _, _ in known}  # 1 and 1.0 are one value
    known = [(spelled[_in_order(given)], metric, name) for given, metric, name in known]
    order = sorted(spelled.values(), key=_in_order)
    if len(order) < 2:
        return None
    positions = _positions(order)
    y = _Scale.around(min(row[1] for row in known), max(row[1] for row in known), HEIGHT)
    means = [
        (positions[given], y.from_top(float(np.mean([row[1] for row in known if row[0] == given]))))
        for given in order
    ]
    dots = [
        Line([(positions[given], y.from_top(metric))], COLORS[0], f"{name}: {metric:.4f}", joined=False)
        for given, metric, name in known
    ]
    x_ticks: list[tuple[float, str]] = []
    for given in order:
        if not x_ticks or positions[given] - x_ticks[-1][0] >= _TICK_DISTANCE:
            x_ticks.append((positions[given], given if len(given) <= 12 else f"{given[:11]}…"))
    mean = Line(means, OTHER_COLOR, "mean", joined=True)
    return LineChart(title, x_label, x_ticks, y.ticks_from_top(), [mean, *dots])


def _positions(order: Sequence[str]) -> dict[str, float]:
    """Return the position of each value of a setting in pixels; `order` is ascending."""
    is_text = any(_in_order(given)[0] for given in order)
    values = [float(index) if is_text else float(given) for index, given in enumerate(order)]
    if not is_text and values[0] > 0 and values[-1] >= 10 * values[0]:
        values = [math.log(value) for value in values]
    margin = WIDTH / (2 * len(order)) if is_text else _MARGIN
    x = _Scale(values[0], values[-1], round(WIDTH - 2 * margin))
    return {given: round(margin + x.position(value), 1) for given, value in zip(order, values, strict=True)}


def _in_order(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), ""
    except ValueError:
        return True, 0.0, text


@dataclass(frozen=True)
class _Scale:
    """A linear axis of `length` pixels from the value `low` to the value `high`."""

    low: float
    high: float
    length: int

    @classmethod
    def around(cls, low: float, high: float, length: int) -> "_Scale":
        """Return an axis with a margin around the values."""
        margin = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
        return cls(low - margin, high + margin, length)

    def position(self, value: float) -> float:
        """Return the position of a value in pixels."""
        return round((value - self.low) / (self.high - self.low) * self.length, 1)

    def from_top(self, value: float) -> float:
        """Return the position of a value, counted from the upper end."""
        return round(self.length - self.position(value), 1)

    def ticks_from_top(self) -> list[tuple[float, str]]:
        """Return ticks at multiples of 1, 2 or 5; their positions are counted from the upper end."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first = math.ceil(self.low / step)
        values = [index * step for index in range(first, math.floor(self.high / step) + 1)]
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(self.from_top(value), f"{value + 0.0:.{digits}f}") for value in values]
