"""Write docs/tour.ipynb from docs/tour.md; `make notebook` runs this script.

Each command of the document becomes a call of the same stage, whose result the notebook shows. The other
block, the installation, becomes the imports.
"""

import re
import shlex
from pathlib import Path

import jupytext
import nbformat

DOCS = Path(__file__).parent
STAGES = {"create_train_val_test.py": "prepare", "train.py": "train", "visualize.py": "visualize"}
IMPORTS = """import os

import convscope

if os.path.exists("../docs/tour.ipynb"):  # data/ and outputs/ are beside docs/
    os.chdir("..")
"""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def main() -> None:
    """Write the notebook."""
    (DOCS / "tour.ipynb").write_text(notebook((DOCS / "tour.md").read_text("utf-8")), "utf-8")


def notebook(document: str) -> str:
    """Return the notebook of a document, without outputs, as JSON."""
    text = re.sub(r"^```sh\n(.*?)^```$", _cell, document, flags=re.DOTALL | re.MULTILINE)
    made = jupytext.reads(text, "md")
    made.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    for index, cell in enumerate(made.cells):
        cell.id = f"cell-{index}"  # they are random otherwise
    return nbformat.writes(made) + "\n"


def call(command: str) -> str:
    """Return the Python call of a command."""
    _, script, *given = shlex.split(command)
    lines = "".join(f"    {_quoted(argument)},\n" for argument in given)
    return f"convscope.{STAGES[script]}(\n{lines})"


def _cell(block: re.Match[str]) -> str:
    commands = block[1].replace("\\\n", " ").splitlines()
    code = "\n".join(map(call, commands)) if commands[0].startswith("python ") else IMPORTS.strip()
    return f"```python\n{code}\n```"


def _quoted(argument: str) -> str:
    return f'"{argument}"' if '"' not in argument else repr(argument)


if __name__ == "__main__":
    main()
