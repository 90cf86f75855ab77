"""docs/tour.md and its notebook: they agree, their settings exist, and the cells run with small ones."""

import ast
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import nbclient
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
    calls = [ast.parse(cell.source).body[0].value for cell in cells()[1:]]  # the first cell has the imports
    made = [[call.func.attr, *(argument.value for argument in call.args)] for call in calls]
    given = [shlex.split(line)[1:] for line in COMMANDS]
    assert made == [[notebook.STAGES[script], *arguments] for script, *arguments in given]


@pytest.mark.parametrize("line", COMMANDS)
def test_the_settings_of_a_command_exist(command: Callable[..., Outcome], line: str) -> None:
    _, script, *given = shlex.split(line)
    done = command(script.removesuffix(".py"), *given, "--cfg", "job")
    assert done.status == 0, done.err


@pytest.mark.slow
def test_the_notebook_runs_with_small_settings(tmp_path: Path) -> None:
    made = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
    for cell in made.cells:
        if cell.cell_type == "code" and (stage := re.match(r"convscope\.(\w+)\(", cell.source)):
            cell.source = f"{cell.source[:-1]}    *{SMALL[stage[1]]},\n)"
    nbclient.NotebookClient(made, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [cell.outputs[-1].data for cell in made.cells if cell.get("outputs")]
    assert len(shown) == len(COMMANDS)
    assert all("text/html" in data for data in shown)
    streams = [output.name for cell in made.cells for output in cell.get("outputs", ()) if "name" in output]
    assert set(streams) == {"stdout"}  # in standard error, every state of a progress bar would stay
    nbformat.write(made, tmp_path / "executed.ipynb")
