"""How this process was started, and the commands that it prints: they are started in the same way."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The commands of the program `convscope`, by stage. A stage has the name of its script and of its YAML file.
COMMANDS = {"create_train_val_test": "prepare", "train": "train", "visualize": "visualize"}


@dataclass(frozen=True)
class Invocation:
    """What started this process.

    Attributes:
        program: `("python", "train.py")` or `("convscope", "train")`; empty for a function of Python.
        stage: the stage that runs.
        arguments: its arguments KEY=VALUE and flags.
    """

    program: tuple[str, ...] = ()
    stage: str = ""
    arguments: tuple[str, ...] = ()


_current = Invocation()


def get() -> Invocation:
    """Return how this process was started."""
    return _current


def begin(invocation: Invocation) -> None:
    """Store how this process was started, or the arguments of the next job of a sweep."""
    global _current
    _current = invocation


def is_script() -> bool:
    """Return whether one of the scripts of a clone was started, so that its Makefile is there, too."""
    return bool(_current.program) and _current.program[-1].endswith(".py")


def program(stage: str) -> list[str]:
    """Return the words that start a stage; empty for a function of Python."""
    if not _current.program:
        return []
    *first, last = _current.program
    return [*first, str(Path(last).with_name(f"{stage}.py")) if is_script() else COMMANDS[stage]]


def command(stage: str, arguments: Sequence[str] = ()) -> str:
    """Return the command that starts a stage, for a shell or for Python."""
    words = program(stage)
    if words:
        return shlex.join([*words, *arguments])
    return f"convscope.{COMMANDS[stage]}({', '.join(map(repr, arguments))})"


def this_command() -> str:
    """Return the command that was started."""
    return command(_current.stage, _current.arguments)
