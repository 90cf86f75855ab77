"""Progress bars that are open when a command ends."""

import pytest

from convscope.progress import close_all, progress


def test_a_bar_left_by_an_exception_prints_nothing_after_it_is_closed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bar = progress(range(3), desc="drawing")
    steps = iter(bar)
    next(steps)
    close_all()
    assert capsys.readouterr().err.endswith("\n")
    steps.close()
    bar.__del__()
    assert capsys.readouterr().err == ""
