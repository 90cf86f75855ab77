"""The table of a sweep."""

import csv
import io
from pathlib import Path

from convscope.sweep import report, results
from convscope.sweep.record import Record, State

SCORES = {"loss": 0.5, "accuracy": 0.75, "accuracy_95": [0.5, 1.0]}


def records(sweep: Path) -> list[Record]:
    """Return a good, a better and a failed run, and one that has not begun."""
    better = {"validation": SCORES | {"loss": 0.25}, "test": SCORES}
    one = {"state": State.finished, "attempts": 1, "seconds": 75.0, "epochs": 3, "best_epoch": 2}
    return [
        Record(sweep / "a=1", 0, ["a=1"], {"a": "1"}, scores={"validation": SCORES}, **one),
        Record(sweep / "a=2", 1, ["a=2"], {"a": "2"}, scores=better, **one),
        Record(sweep / "a=3", 2, ["a=3"], {"a": "3"}, state=State.failed, error="=1+1, no"),
        Record(sweep / "a=4", 3, ["a=4"], {"a": "4"}),
    ]


def test_results_have_a_row_for_each_run_and_no_formulas(tmp_path: Path) -> None:
    for one in records(tmp_path):
        one.write()
    assert report.update(tmp_path) == records(tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["finished", "finished", "failed", "waiting"]
    assert rows[1]["a"] == "2"
    assert (rows[1]["validation_loss"], rows[1]["test_accuracy"], rows[0]["test_accuracy"]) == (
        "0.25", "0.75", "",
    )  # fmt: skip
    assert (rows[1]["test_accuracy_low"], rows[1]["test_accuracy_high"]) == ("0.5", "1.0")
    assert (rows[2]["error"], rows[2]["path"]) == ("'=1+1, no", str(tmp_path / "a=3"))
    assert "\r" not in results.as_csv(records(tmp_path))


def test_the_printed_table_has_the_best_run_first(tmp_path: Path) -> None:
    lines = results.table(records(tmp_path)).splitlines()
    assert lines[1].split()[:3] == ["1", "a=2", "0.2500"]
    assert lines[1].endswith("0.750 (0.500 to 1.000)  0.750 (0.500 to 1.000)  2 of 3      1 min 15 s")
    assert lines[2].split()[:3] == ["2", "a=1", "0.5000"]
    assert lines[3:] == ["4 runs: 1 waiting, 2 finished, 1 failed"]


def test_a_line_after_each_run_tells_the_best_so_far(tmp_path: Path) -> None:
    good, better, failed, waiting = records(tmp_path)
    assert results.progress_line(failed, [good, better, failed, waiting], 4) == (
        "run 3 of 4: a=3: failed; best so far: a=2 (0.2500)"
    )
    assert results.progress_line(failed, [failed], 20) == "run 1 of 20: a=3: failed"


def test_a_loss_that_is_not_a_number_is_not_the_best(tmp_path: Path) -> None:
    good = records(tmp_path)[0]
    diverged = Record(
        tmp_path / "b", 1, [], {}, state=State.finished, scores={"validation": {"loss": float("nan")}}
    )
    assert results.ranked([diverged, good]) == [good]
    assert io.StringIO(results.as_csv([diverged])).readline().startswith("run,state")
