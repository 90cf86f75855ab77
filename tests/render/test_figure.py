"""Charts: the values that are drawn, read from Matplotlib's artists and from the pixels of the file."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from convscope.images import load_png
from convscope.render import figure, training_charts
from convscope.vis.faithfulness.intervals import Interval
from tests.render.artists import color, pixel_at, texts

EYE = np.eye(3)
LINES = [0.1, 0.5, 0.2]


def bars(path: Path, names: list[str]) -> Figure:
    return figure.bars(path, np.array(LINES), names[0], names)


def confusion(path: Path, names: list[str]) -> Figure:
    return training_charts.confusion_matrix(path, EYE.astype(int), names, names[0])


def curves(path: Path, names: list[str]) -> Figure:
    return training_charts.class_curves(path, np.arange(3), EYE, names)


def differences(path: Path, names: list[str]) -> Figure:
    lines = {name: [value + index for value in LINES] for index, name in enumerate(names)}
    return figure.differences_by_depth(path, names, {"correlation": lines})


def shares(path: Path, names: list[str]) -> Figure:
    return figure.shares_by_depth(path, names, {"zeros": LINES})


def distributions(path: Path, names: list[str]) -> Figure:
    return figure.distributions(path, names, [np.histogram(LINES)] * 3, LINES)


CHARTS = [bars, confusion, curves, differences, shares, distributions]


@pytest.mark.parametrize("draw", CHARTS)
@pytest.mark.parametrize("names", [["$^$", "$a$", "100$"], ["_a", "_b", "_nolegend_"]])
def test_any_name_is_written_as_it_is(
    tmp_path: Path, draw: Callable[[Path, list[str]], Figure], names: list[str]
) -> None:
    """Dollars begin no formula, and an underline hides no name from the legend."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = texts(draw(tmp_path / "chart.png", names))
    for name in names:
        (text, *_) = [text for text in written if name in text.get_text()]
        assert not text.get_parse_math()
        assert not text.get_in_layout() or text.get_window_extent().width > 0


@pytest.mark.parametrize("draw", [differences, shares])
def test_long_layer_paths_leave_room_for_the_lines(
    tmp_path: Path, draw: Callable[[Path, list[str]], Figure]
) -> None:
    names = [
        f"functional_17/mobilenet_v2_block_{number}_expand_relu before activation" for number in range(3)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = draw(tmp_path / "long.png", names)
    line = (load_png(tmp_path / "long.png") == color("#c2410c")).all(axis=2).any(axis=1).nonzero()[0]
    assert np.ptp(line) > 30  # pixels from its lowest to its highest point
    labels = [label.get_text() for label in drawn.axes[-1].get_xticklabels()]
    assert labels == [f"…lock_{number}_expand_relu before" for number in range(3)]


def test_bars_have_the_heights_of_the_values(tmp_path: Path) -> None:
    values = np.array([0.5, -0.25, 0.0, 1.0])
    drawn = figure.bars(tmp_path / "bars.png", values, "units")
    assert [bar.get_height() for bar in drawn.axes[0].patches] == values.tolist()
    assert [bar.get_x() + bar.get_width() / 2 for bar in drawn.axes[0].patches] == [0, 1, 2, 3]
    filled = color(figure.VALIDATION_COLOR)
    for unit, value in enumerate(values):
        for share in (0.1, 0.9):
            if value:
                assert pixel_at(tmp_path / "bars.png", drawn, unit, share * value).tolist() == filled
        outside = value + (-0.04 if value < 0 else 0.04)
        assert pixel_at(tmp_path / "bars.png", drawn, unit, outside).tolist() != filled


def test_lying_bars_have_the_names_of_the_classes_from_top_to_bottom(tmp_path: Path) -> None:
    drawn = figure.bars(tmp_path / "bars.png", np.array([0.7, 0.2]), "classes", ["cat", "dog"])
    (axes,) = drawn.axes
    assert [bar.get_width() for bar in axes.patches] == [0.7, 0.2]
    heights = {label.get_text(): label.get_window_extent().y0 for label in axes.get_yticklabels()}
    assert heights["cat"] > heights["dog"]
    assert pixel_at(tmp_path / "bars.png", drawn, 0.6, 0).tolist() == color(figure.VALIDATION_COLOR)
    assert pixel_at(tmp_path / "bars.png", drawn, 0.6, 1).tolist() == [255] * 3


def test_differences_leave_out_values_that_are_not_known(tmp_path: Path) -> None:
    charts = {"change": {"a": [0.5, math.nan, 1.5], "b": [0, 0.25, 1]}}
    drawn = figure.differences_by_depth(tmp_path / "d.png", ["x", "y", "z"], charts)
    first, second, _ = drawn.axes[0].get_lines()  # and the line at zero
    assert (list(first.get_xdata()), list(first.get_ydata())) == ([0, 2], [0.5, 1.5])
    assert list(second.get_ydata()) == [0, 0.25, 1]
    assert pixel_at(tmp_path / "d.png", drawn, 2, 1.5).tolist() == color(figure.LINE_COLORS[0])
    assert pixel_at(tmp_path / "d.png", drawn, 1, 0.25).tolist() == color(figure.LINE_COLORS[1])


def test_shares_of_rectified_layers_and_of_others_are_on_lines_of_their_own(tmp_path: Path) -> None:
    values = {"zeros": [0.5, 0.0, 0.75, 0.125], "dead": [0.25, math.nan, 0.5, math.nan]}
    rectified = [True, False, True, False]
    drawn = figure.shares_by_depth(tmp_path / "s.png", list("wxyz"), values, rectified=rectified)
    lines = {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in drawn.axes[0].get_lines()
    }
    assert lines == {
        "zeros, rectified layers": ([0, 2], [0.5, 0.75]),
        "zeros, other layers": ([1, 3], [0.0, 0.125]),
        "dead, rectified layers": ([0, 2], [0.25, 0.5]),
    }
    zeros = color(figure.VALIDATION_COLOR)
    assert pixel_at(tmp_path / "s.png", drawn, 0, 0.5).tolist() == zeros
    assert pixel_at(tmp_path / "s.png", drawn, 1, 0.625).tolist() == zeros  # between two rectified layers
    assert pixel_at(tmp_path / "s.png", drawn, 3, 0.125).tolist() == [255] * 3  # an open marker


def test_without_types_of_layers_there_is_one_line_for_each_share(tmp_path: Path) -> None:
    for rectified in (None, [True] * 3):
        drawn = figure.shares_by_depth(tmp_path / "s.png", list("xyz"), {"zeros": LINES}, rectified=rectified)
        (line,) = drawn.axes[0].get_lines()
        assert (line.get_label(), list(line.get_ydata())) == ("zeros", LINES)


def test_distributions_have_the_heights_of_the_counts(tmp_path: Path) -> None:
    """Counts 1, 4 and 2 from -1 to 2: half of the row's height for the highest, a line at zero."""
    histogram = np.array([1.0, 4.0, 2.0]), np.array([-1.0, 0.0, 1.0, 2.0])
    drawn = figure.distributions(tmp_path / "h.png", ["layer"], [histogram], [0.25])
    (area,) = drawn.axes[0].collections
    heights = area.get_paths()[0].vertices[:, 1] + 0.72
    assert sorted({round(float(height), 6) for height in heights}) == [0, 0.125, 0.25, 0.5]
    assert "layer, 25% zero" in [text.get_text() for text in texts(drawn)]
    left = 0.06 + 0.88 / 3
    _, zero = drawn.axes[0].get_lines()
    assert list(zero.get_xdata()) == pytest.approx([left, left])
    filled = pixel_at(tmp_path / "h.png", drawn, left + 0.44 / 3, -0.72 + 0.45)
    empty = pixel_at(tmp_path / "h.png", drawn, left - 0.44 / 3, -0.72 + 0.45)
    assert filled[2] < 100
    assert empty.tolist() == [255] * 3


def test_intervals_are_drawn_at_their_values_in_one_order(tmp_path: Path) -> None:
    one, other = Interval(0.5, 0.4, 0.7, 9), Interval(-0.1, -0.2, 0.0, 9)
    panels = {"first": ({"a": one, "b": other}, 0.25), "second": ({"b": one}, None)}
    first, second = figure.intervals(tmp_path / "c.png", panels).axes
    bars = [[list(line.get_xdata()), list(line.get_ydata())] for line in first.lines]
    assert bars == [
        [[0.4, 0.7], [0, 0]],
        [[0.5], [0]],
        [[-0.2, 0.0], [1, 1]],
        [[-0.1], [1]],
        [[0.25] * 2, [0, 1]],
    ]
    assert [label.get_text() for label in first.get_yticklabels()] == ["a", "b"]
    assert [list(line.get_ydata()) for line in second.lines] == [[1, 1], [1]]


def test_a_table_of_maps_has_each_map_in_its_cell(tmp_path: Path) -> None:
    maps = {"row": [EYE, 2 * EYE], "x y": [3 * EYE, 4 * EYE]}
    notes = {"row": ["", "0.10"], "x y": ["", "0.20"]}
    axes = figure.map_table(tmp_path / "t.png", maps, ["trained", "1 of 2"], notes).axes
    for index, cell in enumerate(axes):
        np.testing.assert_array_equal(cell.images[0].get_array(), (index + 1) * EYE)
    assert [cell.get_xlabel() for cell in axes] == ["", "0.10", "", "0.20"]
    assert [cell.get_title() for cell in axes] == ["trained", "1 of 2", "", ""]
