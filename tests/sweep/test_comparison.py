"""Means over seeds and paired comparisons, against values computed by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from convscope.sweep import comparison
from convscope.sweep.record import Record, State


def run(folder: Path, dropout: str, seed: str, correct: Sequence[bool], loss: float) -> Record:
    """Return a finished run with predictions for the images 0, 1, … of the test split."""
    one = Record(
        folder / f"{dropout},{seed}",
        0,
        [],
        {"model.dropout": dropout, "seed": seed},
        state=State.finished,
        scores={"validation": {"loss": loss}, "test": {"accuracy": sum(correct) / len(correct)}},
    )
    one.directory.mkdir()
    rows = [f"test,{index},a,{'a' if is_right else 'b'}" for index, is_right in enumerate(correct)]
    lines = ["split,path,true,predicted", "validation,9,a,a", *rows]
    (one.directory / "predictions.csv").write_text("\n".join(lines))
    return one


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Two settings with two seeds; dropout 0.1 is the better one by the mean validation loss."""
    return [
        run(tmp_path, "0.3", "0", [True, False, False], 0.2),
        run(tmp_path, "0.3", "1", [False, True, True], 0.9),
        run(tmp_path, "0.1", "1", [True, True, True], 0.4),
        run(tmp_path, "0.1", "0", [True, True, False], 0.3),
    ]


def test_the_interval_of_a_mean_over_seeds() -> None:
    interval = comparison.t_interval([1, 2, 3])  # 2 ± 4.302653 * 1 / sqrt(3)
    assert (interval.mean, interval.count) == (2, 3)
    assert (interval.low, interval.high) == (pytest.approx(-0.484138), pytest.approx(4.484138))
    assert str(comparison.t_interval([0.5])) == "0.500"


@pytest.mark.parametrize(
    ("differences", "p_value"),
    [([1, 1, 1, 1, 1, -1, 0], 14 / 64), ([1, -1], 1), ([0, 0], 1), ([0.5] * 6, 2 / 64), ([], 1)],
)
def test_the_exact_sign_test(differences: list[float], p_value: float) -> None:
    assert comparison.sign_test(np.array(differences)) == p_value


def test_settings_are_compared_on_the_same_images_with_the_same_seeds(records: list[Record]) -> None:
    (compared,) = comparison.compare_best(records)
    assert (compared.first, compared.second) == ("dropout=0.1", "dropout=0.3")
    assert (compared.split, compared.images, compared.seeds) == ("test", 3, 2)
    assert (compared.only_first, compared.only_second) == (1, 0)  # image 1 with seed 0, image 0 with seed 1
    assert compared.difference.mean == pytest.approx(1 / 3)
    assert compared.p_value == 0.5
    assert comparison.as_text(records).splitlines() == [
        "dropout=0.1, 2 seeds: validation loss 0.350 (0.000 to 0.985), test accuracy 0.833 (0.000 to 1.000)",
        "dropout=0.3, 2 seeds: validation loss 0.550 (0.000 to 4.997), test accuracy 0.500 (0.000 to 1.000)",
        "dropout=0.1 against dropout=0.3, the same 3 test images (2 seeds, means over seeds): only the first "
        "is right on 1, only the second on 0; difference of accuracy 0.333 (0.333 to 0.333); exact sign "
        "test over images p = 0.5",
    ]


def test_settings_with_other_images_or_other_seeds_are_not_compared(records: list[Record]) -> None:
    predictions = records[0].directory / "predictions.csv"
    predictions.write_text(predictions.read_text().replace("test,2", "test,3"))
    assert comparison.compare_best(records) == []
    assert comparison.compare_best([records[0], records[2]]) == []
    assert comparison.compare_best([]) == []


def test_a_sweep_without_seeds_prints_no_means(records: list[Record]) -> None:
    assert comparison.as_text([records[0], records[3]]) == ""
