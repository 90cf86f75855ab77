"""Progress bars: what is done, how fast, how long it still takes."""

import sys
from collections.abc import Iterable, Sized
from typing import Any

from tqdm import tqdm


def progress(items: Iterable[Any] | None = None, **options: Any) -> Any:
    """A tqdm bar; where nobody watches (a log file, CI) it writes a line every ten seconds only."""
    watched = sys.stderr.isatty()
    total = options.get("total", len(items) if isinstance(items, Sized) else None)
    return tqdm(
        items,
        disable=total == 0,
        dynamic_ncols=watched,
        mininterval=0.1 if watched else 10,
        **{"leave": True} | options,
    )
