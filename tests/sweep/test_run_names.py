"""The directories of runs are named after what was swept."""

import pytest

from convscope.sweep.run_names import run_names


@pytest.mark.parametrize(
    ("swept", "expected"),
    [
        ({"model.dropout": "0.1", "training.learning_rate": "0.001"}, "dropout=0.1,learning_rate=0.001"),
        ({"training.learning_rate": "0.30000000000000004"}, "learning_rate=0.3"),
        ({"training.learning_rate": "1e-05"}, "learning_rate=1e-05"),
        ({"seed": "4000000001"}, "seed=4000000001"),
        ({"a.units": "1", "b.units": "2"}, "a.units=1,b.units=2"),
        ({"training.class_weights": "True"}, "class_weights=true"),
        ({"model": "vgg16"}, "model=vgg16"),
        ({"model.widths": "[32,64]"}, "widths=32-64"),
        ({"model.file": "'my nets/<b>&$(x).keras'"}, "file=my_nets._b_x_.keras"),
        ({"dataset.name": "花"}, "name=花"),
        ({}, "run"),
    ],
)
def test_a_name_is_safe_and_short(swept: dict[str, str], expected: str) -> None:
    assert run_names([swept]) == [expected]


def test_names_are_unique_where_a_file_system_ignores_case() -> None:
    assert run_names([{"a": "x"}, {"a": "X"}, {"a": "[x]"}]) == ["a=x", "a=X-2", "a=x-3"]


def test_long_names_are_cut_and_stay_different() -> None:
    one, other = run_names([{"model.file": "x" * 300}, {"model.file": "x" * 299 + "y"}])
    assert one != other
    assert len(one.encode()) == len(other.encode()) == 120
