"""Progress bars that are open when a command ends."""

import gc
from contextlib import suppress

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
    assert capsys.readouterr().err == ""


def test_a_bar_that_is_interrupted_at_its_start_prints_nothing_when_it_is_deleted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped:
        def add(self, bar: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("convscope.progress._bars", Stopped())
    with suppress(KeyboardInterrupt):
        progress(range(3), desc="drawing")
    monkeypatch.undo()
    gc.collect()
    close_all()
    assert capsys.readouterr().err.count("drawing") == 1
