"""The start of every script: few imports, so that Ctrl-C soon finds code that handles it."""

import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def main(script: str, about: str | None, run: "Callable[[Any, Path], None]") -> NoReturn:
    """Call `convscope.config.launch.main`; Ctrl-C while it is imported ends without a traceback."""
    try:
        from convscope.config import launch
    except KeyboardInterrupt:
        sys.exit(130)
    launch.main(script, about, run)
