"""Work on all cores: threads for C code that releases the GIL, processes for work that is mostly Python."""

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
from typing import TypeVar

from convscope.errors import ConvscopeError

Item = TypeVar("Item")
Result = TypeVar("Result")


_runs = 1  # the number of runs that share this machine


def share_machine(runs: int) -> None:
    """Let this process use the cores of the machine as one of several simultaneous runs."""
    global _runs
    _runs = runs


def runs_at_once() -> int:
    """Return the number of runs that share this machine, 1 without a sweep."""
    return _runs


def cores() -> int:
    """Return the number of CPU cores that this process should use: its share, at least one."""
    return max(1, all_cores() // _runs)


def all_cores() -> int:
    """Return the number of CPU cores that this process is allowed to use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield the results of `map(work, items)`, computed in one thread per core."""
    return _map(ThreadPoolExecutor(cores()), work, items)


def in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None
) -> Iterator[Result]:
    """Yield the results of `map(work, items)`, computed in one process per core.

    A single item is computed in this process. The worker processes end with this process, even if it is
    killed. A fork server starts them. A fork of this process would copy the locks that other threads hold
    (TensorFlow starts such threads), and nothing would release the copies.

    Args:
        work: a function of a module, not of the main module.
        items: its arguments, which can be pickled, as can the results.
        workers: number of processes; None is one per core.

    Raises:
        ConvscopeError: a worker process died.
    """
    count = min(workers or cores(), len(items))
    if count <= 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("forkserver")
    try:
        yield from _map(ProcessPoolExecutor(count, context, _start_worker), work, items)
    except BrokenProcessPool:
        raise ConvscopeError(
            "a worker process died: it ran out of memory, or a file crashed the decoder; try again, or "
            "try with half of the files to find the damaged one"
        ) from None


def _map(pool: Executor, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield the results; if the caller stops early (Ctrl-C), cancel the items that have not been started."""
    try:
        with interrupts_deferred(), _interrupts_blocked(), _main_module_hidden():
            results = pool.map(work, items)
        yield from results
    finally:
        with interrupts_deferred():
            pool.shutdown(cancel_futures=True)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Handle Ctrl-C at the end of the block: a pool whose start or end is interrupted never ends."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread is interrupted
        yield
        return
    received: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if received and callable(handler):
        handler(signal.SIGINT, None)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C in this thread while workers start: they inherit it, and no worker prints a traceback."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Start workers without the main module: a script without `if __name__ == "__main__"` would run again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker() -> None:
    """Prepare a worker process: leave Ctrl-C to the parent process, end with it, and print no warnings."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # if an earlier caller started the fork server
    warnings.simplefilter("ignore")  # a worker reports through its results
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
