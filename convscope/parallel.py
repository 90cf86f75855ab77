"""Work on all cores: in threads where C code does it, in processes where Python has a large part."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from convscope.errors import ConvscopeError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`map(work, items)`, a thread a core."""
    return _map(ThreadPoolExecutor(cores()), work, items)


def in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None
) -> Iterator[Result]:
    """`map(work, items)`, a process a core; `work`, items and results must be such as can be pickled.

    A single item is worked on here. Processes end with this one, however it ends.

    Raises:
        ConvscopeError: a process died.
    """
    count = min(workers or cores(), len(items))
    if count <= 1:
        yield from map(work, items)
        return
    try:
        yield from _map(ProcessPoolExecutor(count, initializer=_follow_the_parent), work, items)
    except BrokenProcessPool:
        raise ConvscopeError(
            "a worker process died: it ran out of memory, or a file crashed its decoder; try again, or "
            "halve the folder to find the file"
        ) from None


def _map(pool: Executor, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """What is not begun when the caller stops, as by Ctrl-C, is dropped."""
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_the_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it is killed, which else would leave its pool behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
