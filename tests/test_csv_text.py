"""Tables as CSV: a spreadsheet runs no formula of them, and numbers stay numbers."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from convscope.app.train.training_report import write_predictions
from convscope.files import csv_text
from convscope.models.bundle import Contract
from convscope.models.calibration import Calibration
from convscope.preprocessing import by_name
from convscope.training.evaluate import Evaluation
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", '=HYPERLINK("http://x")']
)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    header, row = csv.reader(io.StringIO(csv_text(["path", text], [["x.png", text]]), newline=""))
    assert (header, row) == (["path", f"'{text}"], ["x.png", f"'{text}"])


@pytest.mark.parametrize("cell", ["-0.5", "+1", "-inf", "-1e-05", "a=b", "", "'=1", "dog-cat"])
def test_numbers_and_other_texts_do_not_change(cell: str) -> None:
    assert list(csv.reader(io.StringIO(csv_text(["x"], [[cell, -3, -0.5]])))) == [["x"], [cell, "-3", "-0.5"]]


def test_predictions_contain_no_formula(tmp_path: Path) -> None:
    scores = Evaluation(np.array([[0.25, 0.75]]), np.array([0]))
    paths = {"test": [Path("-1+1/x.png")]}
    contract = Contract("m", ["=1+1", "b"], (8, 8), by_name("none"), calibration=Calibration(0.5, (0.5,)))
    write_predictions(tmp_path / "predictions.csv", {"test": scores}, paths, contract, {})
    assert (tmp_path / "predictions.csv").read_text().splitlines() == [
        "split,path,true,predicted,'=1+1,b,'=1+1 (calibrated),b (calibrated)",
        "test,'-1+1/x.png,'=1+1,b,0.250000,0.750000,0.100000,0.900000",  # odds 1 : 3, squared
    ]


def test_every_table_is_written_by_csv_text() -> None:
    writers = [
        path.name for path in (ROOT / "convscope").rglob("*.py") if "csv.writer(" in path.read_text("utf-8")
    ]
    assert writers == ["files.py"]
