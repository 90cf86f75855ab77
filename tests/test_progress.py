"""Progress bars that are open when a command ends."""

import gc
from contextlib import suppress

import pytest
from tqdm import tqdm

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


def test_a_bar_that_is_interrupted_in_its_constructor_prints_nothing_when_it_is_deleted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    display = tqdm.display

    def display_and_stop(bar: tqdm) -> None:
        display(bar)
        raise KeyboardInterrupt

    monkeypatch.setattr(tqdm, "display", display_and_stop)
    with suppress(KeyboardInterrupt):
        progress(range(3), desc="drawing")
    monkeypatch.undo()
    gc.collect()
    close_all()
    assert capsys.readouterr().err.count("drawing") == 1
