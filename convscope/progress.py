"""Progress bars with the number of completed items, the speed and the remaining time."""

import sys
from collections.abc import Iterable, Sized
from typing import Any
from weakref import WeakSet

from tqdm import tqdm

_NOTEBOOK = "ipykernel.iostream"  # the module of the streams in a notebook
_bars: WeakSet[Any] = WeakSet()


class _Bar(tqdm):
    """A bar that prints nothing when it is deleted, for example after Ctrl-C in its constructor."""

    def __del__(self) -> None:
        """Do not close the bar: the last message of the command is printed already."""


def progress(items: Iterable[Any] | None = None, **options: Any) -> Any:
    """Return a tqdm bar; if standard error is not a terminal, it prints one line every ten seconds.

    Without standard error, it prints nothing. A notebook shows it in standard output, where the next line of
    the command replaces it; in standard error, each state would stay as a line of its own.
    """
    terminal = sys.stderr is not None and sys.stderr.isatty()
    total = options.get("total", len(items) if isinstance(items, Sized) else None)
    bar = _Bar(
        items,
        disable=total == 0 or sys.stderr is None,
        file=sys.stdout if type(sys.stderr).__module__ == _NOTEBOOK else None,
        dynamic_ncols=terminal,
        mininterval=0.1 if terminal else 10,
        **{"leave": True} | options,
    )
    _bars.add(bar)
    return bar


def close_all() -> None:
    """Close the open bars before the last message: one that is deleted while open prints after it."""
    for bar in list(_bars):
        bar.close()
