"""Exponential smoothing, by hand."""

import numpy as np

from convscope.vis.smoothing import Smoothing


def test_each_result_mixes_the_previous_result_and_the_new_array() -> None:
    smooth = Smoothing(0.75)
    results = [smooth(np.array([value, 1.0])) for value in (8.0, 0.0, 4.0)]
    assert [list(result) for result in results] == [[8, 1], [6, 1], [5.5, 1]]
    smooth.restart()
    assert list(smooth(np.array([2.0, 3.0]))) == [2, 3]


def test_a_share_of_zero_keeps_each_array() -> None:
    smooth = Smoothing(0)
    arrays = [np.array([8.0, np.inf]), np.array([0.5, 1.0])]
    assert [smooth(array) is array for array in arrays] == [True, True]
