"""The charts of a sweep, by the positions of their lines."""

import math

from convscope.render import line_chart


def test_curves_have_an_axis_around_their_values_and_the_best_run_on_top() -> None:
    drawn = line_chart.curves("loss", {"best": [(1, 1.0), (3, 0.0)], "other": [(1, 0.5), (2, math.nan)]})
    assert drawn is not None
    other, best = drawn.lines
    assert (best.label, best.color, other.color) == ("best", *line_chart.COLORS[:2])
    # The axis goes from -0.06 to 1.06.
    assert best.points == [(0.0, 13.9), (460.0, 246.1)]  # 260 * 0.06 / 1.12 and 260 * 1.06 / 1.12
    assert other.points == [(0.0, 130.0)]
    assert [text for _, text in drawn.x_ticks] == ["1", "2", "3"]
    assert [text for _, text in drawn.y_ticks] == ["0.0", "0.5", "1.0"]
    assert line_chart.curves("loss", {"a": [(1, math.nan)]}) is None


def test_values_far_above_the_others_are_cut() -> None:
    drawn = line_chart.curves("loss", {"a": [(epoch, 1.0) for epoch in range(1, 20)] + [(20, 1e9)]})
    assert drawn is not None
    assert "are cut" in drawn.note
    assert drawn.lines[0].points[-1] == (460.0, 0.0)


def test_a_setting_has_its_values_in_order_and_a_line_through_the_means() -> None:
    values = [("10", 0.0, "a"), ("9", 1.0, "b"), ("9", 0.0, "c"), ("9", math.inf, "d")]
    drawn = line_chart.by_setting("loss", "units", values)
    assert drawn is not None
    assert [text for _, text in drawn.x_ticks] == ["9", "10"]
    mean, *dots = drawn.lines
    assert mean.points == [(40.0, 130.0), (420.0, dots[0].points[0][1])]
    assert [dot.label for dot in dots] == ["a: 0.0000", "b: 1.0000", "c: 0.0000"]
    assert line_chart.by_setting("loss", "units", values[1:]) is None


def test_numbers_have_a_scale_and_texts_equal_distances() -> None:
    def places(*given: str) -> list[float]:
        drawn = line_chart.by_setting("loss", "x", [(text, 1.0, "") for text in given])
        assert drawn is not None
        return [dot.points[0][0] for dot in drawn.lines[1:]]

    assert places("0", "1", "4") == [40, 135, 420]
    assert places("0.01", "0.1", "1") == [40, 230, 420]  # logarithmic
    assert places("1e-4", "3e-4") == [40, 420]
    assert places("Adam", "SGD") == [115, 345]
    assert places("1", "1.0", "3") == [40, 40, 420]
    assert line_chart.by_setting("loss", "x", [("1", 1.0, ""), ("1.0", 1.0, "")]) is None
    crowded = line_chart.by_setting("loss", "x", [(text, 1.0, "") for text in ("1", "2", "100")])
    assert crowded is not None
    assert [text for _, text in crowded.x_ticks] == ["1", "2", "100"]
    crowded = line_chart.by_setting("loss", "x", [(text, 1.0, "") for text in ("1", "1.1", "100")])
    assert crowded is not None
    assert [text for _, text in crowded.x_ticks] == ["1", "100"]
