"""docs/tour.md and its notebook: they agree, their settings exist, and the cells run with small ones."""

import shlex
from collections.abc import Callable

import nbformat
import pytest

from docs import notebook
from tests.conftest import ROOT, Outcome

DOCUMENT = (ROOT / "docs" / "tour.md").read_text("utf-8")
COMMANDS = [line for line in DOCUMENT.splitlines() if line.startswith("python ")]
SMALL = {
    "prepare": ["dataset.images_per_class=12", "dataset.image_size=48"],
    "train": ["training.epochs=1"],
    "visualize": [],
}


def cells() -> list[nbformat.NotebookNode]:
    """Return the cells with code of docs/tour.ipynb."""
    made = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
    return [cell for cell in made.cells if cell.cell_type == "code"]


def test_the_notebook_is_the_one_of_the_document() -> None:
    """`make notebook` writes it; a notebook that was run and saved has outputs, and differs."""
    assert notebook.notebook(DOCUMENT) == (ROOT / "docs" / "tour.ipynb").read_text("utf-8")


def test_each_command_is_a_cell() -> None:
    assert len(COMMANDS) == len(cells()) - 1  # the first one has the imports
    for command, cell in zip(COMMANDS, cells()[1:], strict=True):
        arguments: list[str] = []
        stages = {
            stage: lambda *given, stage=stage: arguments.extend([stage, *given])
            for stage in notebook.STAGES.values()
        }
        exec(
            cell.source, {"convscope": type("Recorder", (), {k: staticmethod(v) for k, v in stages.items()})}
        )
        _, script, *given = shlex.split(command)
        assert arguments == [notebook.STAGES[script], *given]


@pytest.mark.parametrize("line", COMMANDS)
def test_the_settings_of_a_command_exist(command: Callable[..., Outcome], line: str) -> None:
    _, script, *given = shlex.split(line)
    done = command(script.removesuffix(".py"), *given, "--cfg", "job")
    assert done.status == 0, done.err
