"""Settings of a sweep over several seeds: their means, and paired comparisons by image."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from convscope.sweep.record import Record
from convscope.sweep.results import SPLITS, ranked

SEED = "seed"
PREDICTIONS = "predictions.csv"  # of train.py
MOST = 5  # settings that the best one is compared with


@dataclass(frozen=True)
class Interval:
    """A mean over `count` values, with its 95 % interval; the ends are None for one value."""

    mean: float
    low: float | None
    high: float | None
    count: int

    def __str__(self) -> str:
        ends = "" if self.low is None else f" ({self.low:.3f} to {self.high:.3f})"
        return f"{self.mean:.3f}{ends}"


@dataclass(frozen=True)
class Setting:
    """The finished runs that differ only in their seed; `values` are the other swept values."""

    values: Mapping[str, str]
    runs: Sequence[Record]

    @property
    def name(self) -> str:
        """The values as text, for example "dropout=0.1"."""
        short = (f"{key.rpartition('.')[2]}={value}" for key, value in self.values.items())
        return ", ".join(short) or "all runs"

    @property
    def seeds(self) -> dict[str, Record]:
        """The runs by their seed."""
        return {run.swept.get(SEED, ""): run for run in self.runs}

    def interval(self, split: str, score: str) -> Interval | None:
        """Return the mean of a score over the runs; None if a run lacks it.

        The interval ends at 0, and that of an accuracy at 1: other values are impossible.
        """
        values = [run.scores.get(split, {}).get(score) for run in self.runs]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        found = t_interval(known)
        if found.low is None or found.high is None:
            return found
        high = min(found.high, 1.0) if score == "accuracy" else found.high
        return replace(found, low=max(found.low, 0.0), high=high)


@dataclass(frozen=True)
class Comparison:
    """Two settings on the same images, with the same seeds.

    Attributes:
        first: the name of the first setting.
        second: the name of the second setting.
        split: the split of the images.
        images: the number of images.
        seeds: the number of seeds.
        only_first: the number of images that only the first setting predicts correctly, mean over seeds.
        only_second: likewise for the second setting.
        difference: the accuracy of the first setting minus that of the second, over seeds.
        p_value: of the exact two-sided sign test over images; see `sign_test`.
    """

    first: str
    second: str
    split: str
    images: int
    seeds: int
    only_first: float
    only_second: float
    difference: Interval
    p_value: float

    def __str__(self) -> str:
        seeds = f"{self.seeds} seeds, means over seeds" if self.seeds > 1 else "one seed"
        return (
            f"{self.first} against {self.second}, the same {self.images} {self.split} images ({seeds}): only "
            f"the first is right on {self.only_first:.4g}, only the second on {self.only_second:.4g}; "
            f"difference of accuracy {self.difference}; exact sign test over images p = {self.p_value:.3g}"
        )


def settings_of(records: Sequence[Record]) -> list[Setting]:
    """Group the finished runs by their swept values without the seed, the lowest mean loss first."""
    groups: dict[tuple[tuple[str, str], ...], list[Record]] = {}
    for one in ranked(records):
        values = tuple((key, value) for key, value in one.swept.items() if key != SEED)
        groups.setdefault(values, []).append(one)
    settings = [Setting(dict(values), runs) for values, runs in groups.items()]
    return sorted(settings, key=lambda setting: float(np.mean([run.value for run in setting.runs])))


def compare_best(records: Sequence[Record]) -> list[Comparison]:
    """Compare the setting with the lowest mean validation loss with the next ones, at most five."""
    settings = settings_of(records)
    compared = (compare(settings[0], other) for other in settings[1 : MOST + 1])
    return [comparison for comparison in compared if comparison]


def compare(first: Setting, second: Setting) -> Comparison | None:
    """Compare two settings by image, with the seeds that both have; None if their images differ."""
    common = [seed for seed in first.seeds if seed in second.seeds]
    pairs = [
        (read_correct(first.seeds[seed].directory), read_correct(second.seeds[seed].directory))
        for seed in common
    ]
    images = [list(correct) for pair in pairs for _, correct in pair]
    if not images or not images[0] or any(paths != images[0] for paths in images):
        return None
    of_first, of_second = (
        np.array([list(pair[index][1].values()) for pair in pairs], bool) for index in range(2)
    )
    differences = of_first.astype(int) - of_second
    return Comparison(
        first.name,
        second.name,
        pairs[0][0][0],
        len(images[0]),
        len(common),
        float((differences > 0).sum(axis=1).mean()),
        float((differences < 0).sum(axis=1).mean()),
        t_interval(differences.mean(axis=1)),
        sign_test(differences.mean(axis=0)),
    )


def read_correct(directory: Path) -> tuple[str, dict[str, bool]]:
    """Return the test split, or validation if there is none, and for each image whether it was right."""
    correct: dict[str, dict[str, bool]] = {split: {} for split in SPLITS}
    if (directory / PREDICTIONS).is_file():
        with (directory / PREDICTIONS).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                correct.setdefault(row["split"], {})[row["path"]] = row["true"] == row["predicted"]
    split = "test" if correct["test"] else "validation"
    return split, dict(sorted(correct[split].items()))


def as_text(records: Sequence[Record]) -> str:
    """Return lines for settings with several seeds: means, and paired comparisons; none without seeds."""
    settings = settings_of(records)
    if all(len(setting.runs) < 2 for setting in settings):
        return ""
    lines = [
        f"{setting.name}, {len(setting.runs)} seeds: "
        f"validation loss {setting.interval('validation', 'loss')}, "
        f"test accuracy {setting.interval('test', 'accuracy') or 'unknown'}"
        for setting in settings
    ]
    return "".join(f"{line}\n" for line in [*lines, *map(str, compare_best(records))])


def t_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Return the mean and its 95 % interval from Student's t distribution with n - 1 degrees of freedom."""
    from scipy.special import stdtrit  # slow to import

    known = np.asarray(values, float)
    mean = float(known.mean())
    if len(known) < 2:
        return Interval(mean, None, None, len(known))
    half = float(stdtrit(len(known) - 1, 0.975) * known.std(ddof=1) / math.sqrt(len(known)))
    return Interval(mean, mean - half, mean + half, len(known))


def sign_test(differences: np.ndarray) -> float:
    """Return the p-value of the exact two-sided sign test; zeros are left out.

    Each value is the difference of one image, its mean over seeds. With one seed, this is the exact test of
    McNemar (1947). The seeds are taken as given: the test tells nothing about other seeds.
    """
    positive, negative = int((differences > 0).sum()), int((differences < 0).sum())
    count = positive + negative
    tail = sum(math.comb(count, index) for index in range(min(positive, negative) + 1))
    return min(1.0, 2 * tail / 2**count)
