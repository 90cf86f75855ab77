"""convscope: train a convolutional network on photographs, and see what it learned.

From Python: `open_model` opens a checkpoint, `grid` draws feature maps, `evolution` gives them epoch by
epoch; see docs/api.md.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["OpenModel", "evolution", "grid", "open_model"]


def __getattr__(name: str) -> Any:
    """What needs Keras is imported when it is asked for: it takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    from convscope import api

    return getattr(api, name)
