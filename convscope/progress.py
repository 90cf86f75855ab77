"""Progress bars with the number of completed items, the speed and the remaining time."""

import sys
from collections.abc import Iterable, Sized
from typing import Any

from tqdm import tqdm


def progress(items: Iterable[Any] | None = None, **options: Any) -> Any:
    """Return a tqdm bar; if standard error is not a terminal, it prints one line every ten seconds.

    Without standard error, it prints nothing.
    """
    terminal = sys.stderr is not None and sys.stderr.isatty()
    total = options.get("total", len(items) if isinstance(items, Sized) else None)
    return tqdm(
        items,
        disable=total == 0 or sys.stderr is None,
        dynamic_ncols=terminal,
        mininterval=0.1 if terminal else 10,
        **{"leave": True} | options,
    )
