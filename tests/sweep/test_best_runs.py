"""The folder of a sweep in the option compare of stage 3."""

from collections.abc import Callable
from pathlib import Path

import pytest

from convscope.sweep.best_runs import MOST, best_runs
from convscope.sweep.record import Record, State
from tests.conftest import Outcome


def write_run(folder: Path, number: int, loss: float | None, *, model: bool = True) -> None:
    scores = {} if loss is None else {"validation": {"loss": loss}}
    one = Record(folder / f"a={number}", number, [], {"a": str(number)}, state=State.finished, scores=scores)
    one.write()
    if model:
        (one.directory / "model.keras").touch()


def test_the_runs_with_the_lowest_losses_that_have_a_model_are_chosen(tmp_path: Path) -> None:
    for number, loss in enumerate([0.5, 0.1, None, 0.3, 0.2, 0.6, 0.7]):
        write_run(tmp_path, number, loss, model=number != 4)
    assert [run.name for run in best_runs(tmp_path, "model.keras")] == ["a=1", "a=3", "a=0", "a=5"]
    assert MOST == 4


@pytest.mark.parametrize("runs", [None, 0, 1])
def test_a_folder_without_two_trained_runs_is_one_line(
    command: Callable[..., Outcome], tmp_path: Path, runs: int | None
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if runs is not None:
        write_run(folder, 0, 0.5, model=runs > 0)
    outcome = command("visualize", f"compare={folder}")
    assert outcome.status == 1
    (line,) = outcome.err.splitlines()
    if runs is None:
        assert f"{folder} is no sweep: expected the folder that train.py -m wrote" in line
    else:
        assert f"{folder} has {runs} run(s) with a model and a validation loss: expected at least two" in line
    assert not Path("outputs").exists()
