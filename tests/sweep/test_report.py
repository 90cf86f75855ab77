"""The report of a sweep."""

import html
import json
import re
import shlex
from pathlib import Path

import pytest

from convscope import invocation
from convscope.files import write_json
from convscope.invocation import Invocation
from convscope.sweep import report
from convscope.sweep.record import Record, State

HOSTILE = "<script>alert(1)</script>\"'&"
SCORES = {"loss": 0.5, "accuracy": 0.75, "accuracy_95": [0.5, 1.0]}


def write_run(folder: Path, name: str, loss: float) -> None:
    """Write a finished run with a history of two epochs."""
    scores = {"validation": SCORES | {"loss": loss}, "test": SCORES}
    one = Record(folder / name, 0, [], {"model.file": name}, state=State.finished, scores=scores, epochs=2)
    one.write()
    rows = f"1,{2 * loss},0.5\n2,{loss},0.75\n"
    (one.directory / "history.csv").write_text("epoch,val_loss,val_accuracy\n" + rows)
    (one.directory / "report.html").touch()


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    sweep = tmp_path / HOSTILE.replace("/", "")
    for index, name in enumerate(("a=1,b=2", "it's #1?")):
        write_run(sweep, name, index + 0.25)
    hostile = {HOSTILE: HOSTILE}
    Record(sweep / "x", 3, [HOSTILE], hostile, state=State.failed, error=HOSTILE).write()
    write_json(sweep / "sweep.json", {"command": ["train.py", HOSTILE]})
    report.update(sweep, is_final=True)
    page = (sweep / "report.html").read_text("utf-8")
    assert page.count("<script>") == page.count("</script>") == 1
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;alert(1)") > 4
    assert 'href="a%3D1%2Cb%3D2/report.html"' in page
    assert 'href="it%27s%20%231%3F/report.html"' in page
    assert 'href="x/traceback.txt"' in page


def test_the_page_has_the_best_run_first_its_curves_and_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, loss in (("file=b", 0.25), ("file=a,n=1", 0.125), ("file=c", 1.0), ("file=d", 2.0)):
        write_run(tmp_path, name, loss)
    monkeypatch.setattr(invocation, "_current", Invocation(("python", "train.py"), "train"))
    report.update(tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    rows = re.findall(r'<th scope="row" data-value="(.*?)">', page)
    assert rows == ["file=a,n=1", "file=b", "file=c", "file=d"]
    assert '<td data-value="0.125">0.1250</td>' in page
    assert page.count("<polyline") == 2 * 4 + 2  # loss and accuracy of each run; two charts of the setting
    commands = [html.unescape(text) for text in re.findall(r"<pre>(.*?)</pre>", page)]
    best = [str(tmp_path / name) for name in rows[:3]]
    given = ",".join(f'"{path}"' for path in best)
    assert [shlex.split(command) for command in commands] == [
        ["python", "visualize.py", f"compare=[{given}]"],
        ["python", "visualize.py", f"checkpoint={best[0]}"],
    ]


def test_a_sweep_without_results_has_a_page(tmp_path: Path) -> None:
    Record(tmp_path / "seed=1", 0, ["seed=1"], {"seed": "1"}).write()
    assert [one.name for one in report.update(tmp_path, is_final=True)] == ["seed=1"]
    assert "1 run: 1 waiting" in (tmp_path / "report.html").read_text("utf-8")
    assert json.loads((tmp_path / "seed=1" / "run.json").read_text())["attempts"] == 0
