"""The rows of docs/results.csv: the table of the document, and runs that come back."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT, Outcome


@pytest.fixture(scope="module")
def results() -> ModuleType:
    spec = importlib.util.spec_from_file_location("results", ROOT / "docs/results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_the_document_is_that_of_the_rows(results: ModuleType) -> None:
    text = results.DOCUMENT.read_text("utf-8")
    assert results.with_table(text, results.rows()) == text
    one = dict(results.rows()[0], test_accuracy="0.5", test_low="0.25", test_high="0.75")
    assert "| 50.0 % (25.0 to 75.0) |" in results.with_table(text, [one])


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["flowers_head", "cats_vs_dogs_head"])
def test_a_deterministic_first_phase_comes_back(
    results: ModuleType, shared: Path, tmp_path: Path, command: Callable[..., Outcome], experiment: str
) -> None:
    """A stable split, and features and a head in float32 without augmentation: only rounding may differ."""
    name = experiment.removesuffix("_head")
    made = command(
        "create_train_val_test", "dataset=folder", f"dataset.name={name}",
        f"dataset.source={shared / 'data' / name}",
    )  # fmt: skip
    assert made.status == 0, made.err
    (row,) = [row for row in results.rows() if row["experiment"] == experiment]
    lines = list(results.repeat(row, shared / "weights", tmp_path / "data", tmp_path / "run"))
    assert "the same split" in lines[0]
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    for split in ("validation", "test"):
        assert metrics[split]["loss"] == pytest.approx(float(row[f"{split}_loss"]), abs=2e-3)
        assert metrics[split]["accuracy"] == pytest.approx(float(row[f"{split}_accuracy"]), abs=3e-3)
