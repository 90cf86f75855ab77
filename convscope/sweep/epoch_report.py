"""The channel from the epochs of a training to the search that chose its settings."""

from collections.abc import Callable
from contextvars import ContextVar

# Its arguments: an epoch, counted from 1 over all phases; its validation loss; whether it is the last one.
EpochReport = Callable[[int, float, bool], None]
epoch_report: ContextVar[EpochReport | None] = ContextVar("epoch_report", default=None)
