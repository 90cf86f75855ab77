"""The charts of a search, read back from the figures."""

from pathlib import Path

import pytest

from convscope.render import search_charts
from convscope.render.search_charts import Dot, Setting

DOTS = [
    Dot(0, 0.9, False, {"rate": 1e-3, "size": 8}),
    Dot(1, 1.4, True, {"rate": 1e-2, "size": 32}),
    Dot(3, 0.5, False, {"rate": 3e-3, "size": 8}),
    Dot(4, 0.7, False, {"rate": 2e-3, "size": 16}),
    Dot(5, 80.0, True, {"rate": 9e-3, "size": 16}),
]


def test_history_shows_all_trials_and_the_lowest_loss_so_far(tmp_path: Path) -> None:
    (axes,) = search_charts.history(tmp_path / "a.png", DOTS).axes
    complete, pruned, lowest = axes.lines
    assert list(complete.get_xdata()) == [0, 3, 4]
    assert list(pruned.get_xdata()) == [1, 5]
    assert list(zip(lowest.get_xdata(), lowest.get_ydata(), strict=True)) == [
        (0, 0.9),
        (3, 0.5),
        (4, 0.5),
        (5, 0.5),
    ]
    assert lowest.get_label() == "lowest so far: 0.5000"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_history_without_a_complete_trial_has_no_line(tmp_path: Path) -> None:
    (axes,) = search_charts.history(tmp_path / "a.png", [DOTS[1]]).axes
    assert [len(line.get_xdata()) for line in axes.lines] == [0, 1]


def test_a_slice_of_a_setting_that_no_trial_has_is_empty(tmp_path: Path) -> None:
    (axes,) = search_charts.slices(tmp_path / "a.png", DOTS, [Setting("width", False, None)]).axes
    assert len(axes.lines) == 0


def test_one_diverged_run_does_not_hide_the_others(tmp_path: Path) -> None:
    dots = [Dot(number, 1 + number / 100, False, {}) for number in range(40)] + [Dot(40, 1e6, True, {})]
    (axes,) = search_charts.history(tmp_path / "a.png", dots).axes
    assert axes.get_ylim()[1] < 1.5
    assert axes.lines[1].get_ydata()[0] == axes.get_ylim()[1]


def test_slices_have_the_scale_of_each_setting(tmp_path: Path) -> None:
    settings = [Setting("rate", True, None), Setting("size", False, [8, 16, 32])]
    rate, size = search_charts.slices(tmp_path / "a.png", DOTS, settings).axes
    assert (rate.get_xscale(), size.get_xscale()) == ("log", "linear")
    assert list(rate.lines[0].get_xdata()) == [1e-3, 3e-3, 2e-3]
    assert list(size.lines[0].get_xdata()) == [0, 0, 1]
    assert [label.get_text() for label in size.get_xticklabels()] == ["8", "16", "32"]
    assert not [label for label in rate.get_xticklabels() if "$" in label.get_text()]


def test_the_most_important_setting_is_on_top(tmp_path: Path) -> None:
    (axes,) = search_charts.importance(tmp_path / "a.png", {"a": 0.2, "b": 0.7, "c": 0.1}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "a", "b"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.1, 0.2, 0.7])
