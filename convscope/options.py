"""The options of settings classes: dataclass fields with a help text, and range checks."""

import math
from dataclasses import field
from typing import Any

from convscope.errors import ConvscopeError


def option(default: Any, text: str, *, heading: str | None = None, **more: Any) -> Any:
    """Return a dataclass field with a default, a text for the help, and more metadata.

    `--help` shows the options that have a heading, below this heading. `--help-all` shows all options.
    """
    metadata = {"help": text, "heading": heading, **more}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check_range(key: str, value: float, low: float, high: float = math.inf, *, below: bool = False) -> None:
    """Raise ConvscopeError unless low <= value <= high, or value < high if `below` or if high is infinite."""
    if not (low <= value <= high) or ((below or high == math.inf) and value == high):
        bound = f"{'below' if below else 'at most'} {high:.10g}"
        upper = bound if high < math.inf else "finite" if value == math.inf else ""
        expected = f"at least {low:g}" + (f" and {upper}" if upper else "")
        raise ConvscopeError(f"{key}={value} is out of range: expected {expected}")
