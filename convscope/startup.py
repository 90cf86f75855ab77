"""The start of every script, before the modules that take long to import."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


def main(script: str, about: str | None, run: Callable[[Any, Path], None]) -> NoReturn:
    """Call `convscope.config.launch.main`; Ctrl-C while it is imported ends without a traceback."""
    try:
        from convscope.config import launch
    except KeyboardInterrupt:
        sys.exit(130)
    launch.main(script, about, run)
