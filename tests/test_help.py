"""The short help: the keys that people use, on a terminal of 80 columns or more."""

import re
from collections.abc import Callable

import pytest

from tests.conftest import Outcome

Command = Callable[..., Outcome]
STAGES = ("create_train_val_test", "train", "visualize")


def keys(text: str) -> list[str]:
    """Return the keys that a help text explains, without the groups and the other arguments."""
    tables = text.split("\n\n")[3:-1]
    return [key for table in tables for key in re.findall(r"^  ([a-z_.]+)=", table, re.MULTILINE)]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("columns", [80, 120])
def test_help_shows_common_keys_below_headings(
    stage: str, columns: int, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    short, full = command(stage, "--help").out, command(stage, "--help-all").out
    assert max(map(len, short.splitlines())) <= columns
    for text in (short, full):
        assert 2 <= text.count(f"\npython {stage}.py") <= 3
        assert "\nGroups and their other choices:\n" in text
    assert 10 <= len(keys(short)) <= 16
    assert set(keys(short)) < set(keys(full))
    assert "  --help-all " in short
    assert f"explain all {len(keys(full))} keys" in short
    assert len(re.findall(r"^[A-Z].*:$", short, re.MULTILINE)) >= 4


def test_help_shows_the_keys_and_the_values_of_the_arguments(command: Command) -> None:
    text = command("create_train_val_test", "dataset=folder", "dataset.source=pets", "--help").out
    assert "  dataset=folder " in text
    assert "  dataset.source=pets " in text
    assert "dataset.images_per_class" not in text
    text = command("train", "model=vgg16", "training.epochs=3", "--help").out
    assert {"model.trainable", "model.weights"} < set(keys(text))
    assert "  training.epochs=3 " in text
