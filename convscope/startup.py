"""The start of the scripts and of the program `convscope`.

It imports little: Ctrl-C soon finds code that handles it, and the short help appears at once.
"""

import sys
from pathlib import Path
from typing import NoReturn

from convscope import __version__
from convscope.errors import ConvscopeError, unknown
from convscope.invocation import COMMANDS
from convscope.stages import STAGES

_WHEN_MODULE = ("python", "-m", "convscope")


def run_script(script: str) -> NoReturn:
    """Run the stage that a script is named after, and exit; `script` is its `__file__`."""
    _run(Path(script).stem, ("python", sys.argv[0]))


def main() -> NoReturn:
    """Run `convscope COMMAND KEY=VALUE …`, and exit; without a command, print the short help."""
    started = Path(sys.argv[0])
    program = _WHEN_MODULE if started.name == "__main__.py" else ("convscope",)
    given = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if given in ("-h", "--help"):
        print(_help(" ".join(program)))
        sys.exit(0)
    if given == "--version":
        print(f"convscope {__version__}")
        sys.exit(0)
    stages = {command: stage for stage, command in COMMANDS.items()}
    if given not in stages:
        print(f"error: {_unknown_command(given)}", file=sys.stderr)
        sys.exit(1)
    del sys.argv[1]
    _run(stages[given], (*program, given))


def _run(stage: str, program: tuple[str, ...]) -> NoReturn:
    try:
        from convscope.config import launch
    except KeyboardInterrupt:
        sys.exit(130)
    launch.main(stage, program, STAGES[stage])


def _unknown_command(given: str) -> ConvscopeError:
    if "=" in given or given.startswith("-"):
        names = ", ".join(COMMANDS.values())
        return ConvscopeError(f"no command before {given!r}: expected one of {names}, then KEY=VALUE")
    return unknown("command", given, COMMANDS.values())


def _help(program: str) -> str:
    lines = [
        f"convscope {__version__}: train a convolutional network on photographs, and see what it learned.",
        "",
        *(f"{program} {COMMANDS[name]:<9}  {stage.summary}" for name, stage in STAGES.items()),
        "",
        f"{program} COMMAND --help explains the options of a command. To try all of them without data:",
        "",
        *(f"{program} {arguments}" for arguments in ("prepare", "train experiment=demo", "visualize")),
    ]
    return "\n".join(lines)
