"""Run commands in forked processes, and stop them at a chosen file operation or after a time.

A server process imports TensorFlow once and starts none of its threads. For each command it forks a child,
which runs the script. An audit hook of Python sees every call of the child that creates, renames or deletes a
file or a folder, and kills the child before the chosen call. A call that opens a file for writing can also be
killed after it: then the file exists and is empty.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import convscope

ROOT = Path(__file__).resolve().parent.parent
# event -> positions of its paths, and of the file descriptors of the folders that they are relative to
CALLS = {
    "os.rename": [(0, 2), (1, 3)],
    "os.link": [(1, 3)],
    "os.symlink": [(1, 2)],
    "os.mkdir": [(0, 2)],
    "os.rmdir": [(0, 1)],
    "os.remove": [(0, 1)],
    "open": [(0, None)],
    "ctypes.dlsym": [],
}
Command = tuple[str, ...]  # the name of the script, and its arguments


@dataclass(frozen=True)
class Point:
    """A moment of a command: before call `index`, or `after` it; `call` and `path` say what it does."""

    index: int
    after: bool
    call: str
    path: str

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.call} {self.path} ({self.index})"


@dataclass(frozen=True)
class Signals:
    """Signals that are sent to a command after `delay` seconds, one every 50 ms."""

    numbers: tuple[int, ...]
    delay: float

    def __str__(self) -> str:
        names = " and ".join(signal.Signals(number).name for number in self.numbers)
        return f"{names} after {self.delay:.2f} s"


@dataclass(frozen=True)
class Done:
    """The end of a command: exit status (-9 if killed), output, points at which it can be killed."""

    status: int
    printed: str
    points: list[Point]


class Server:
    """The server process as its client sees it."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(
        self,
        folder: Path,
        *commands: Command,
        stop: Point | Signals | None = None,
        one_core: bool = True,
    ) -> list[Done]:
        """Run commands in a folder, all at the same time, and stop them all at a point or by signals.

        With one core, a command has no worker processes, and its calls are always in the same order.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        jobs = [
            {
                "folder": str(folder), "command": command, "one_core": one_core,
                "log": str(self.scratch / f"log{number}"), "calls": str(self.scratch / f"calls{number}"),
                "kill": [stop.index, stop.after] if isinstance(stop, Point) else [0, False],
                "signals": stop.numbers if isinstance(stop, Signals) else [],
                "delay": stop.delay if isinstance(stop, Signals) else 0,
            }
            for number, command in enumerate(commands)
        ]  # fmt: skip
        self.process.stdin.write(json.dumps(jobs) + "\n")
        self.process.stdin.flush()
        statuses = json.loads(self.process.stdout.readline())
        return [_done(job, status) for job, status in zip(jobs, statuses, strict=True)]

    def close(self) -> None:
        """End the server process."""
        self.process.communicate("")


def _done(job: dict[str, Any], status: int) -> Done:
    printed, calls = Path(job["log"]).read_text(errors="replace"), Path(job["calls"])
    points = list(_points(json.loads(calls.read_text()))) if calls.exists() else []
    calls.unlink(missing_ok=True)
    return Done(status, printed, points)


def _points(calls: list[tuple[str, str]]) -> Iterator[Point]:
    for index, (call, path) in enumerate(calls, 1):
        yield Point(index, False, call, path)
        if call == "open":
            yield Point(index, True, call, path)


def distinct(points: Sequence[Point]) -> list[Point]:
    """Return the first and the last point of each kind: the same call for such a file in the same folder."""
    kinds: dict[tuple[str, bool, Path, str], list[Point]] = {}
    for point in points:
        path = Path(point.path.removesuffix(".partial"))
        kinds.setdefault((point.call, point.after, path.parent, path.suffix), []).append(point)
    chosen = {point for kind in kinds.values() for point in (kind[0], kind[-1])}
    return [point for point in points if point in chosen]


class _Watch:
    """The audit hook: counts the calls that change something below a folder, and kills the process at one."""

    def __init__(self, folder: Path, kill: int, *, after: bool) -> None:
        self.folder, self.kill, self.after = folder, kill, after
        self.calls: list[tuple[str, str]] = []
        self.is_busy = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CALLS or self.is_busy:
            return
        self.is_busy = True
        try:
            if (path := self._changed(event, arguments)) is not None:
                self.calls.append((event, path))
                if len(self.calls) == self.kill:
                    if self.after:
                        os.open(arguments[0], arguments[2], 0o666)
                    os.kill(os.getpid(), signal.SIGKILL)
        finally:
            self.is_busy = False

    def _changed(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        """Return the path that a call changes, relative to the folder; None if it changes nothing there."""
        if event == "ctypes.dlsym":  # the system call renameat2 has no event of its own
            return "" if arguments[1] == "renameat2" else None
        if event == "open" and (
            isinstance(arguments[0], int) or not arguments[2] & (os.O_CREAT | os.O_TRUNC)
        ):
            return None
        for number, descriptor in reversed(CALLS[event]):
            parent = Path.cwd()
            if descriptor is not None and arguments[descriptor] >= 0:
                parent = Path(f"/proc/self/fd/{arguments[descriptor]}").readlink()
            path = Path(os.path.normpath(parent / os.fsdecode(arguments[number])))
            if path.is_relative_to(self.folder) and _succeeds(event, arguments, path):
                return path.relative_to(self.folder).as_posix()
        return None


def _succeeds(event: str, arguments: tuple[Any, ...], path: Path) -> bool:
    """Return whether a call changes something: convscope also creates folders that exist, for example."""
    if event == "open" and arguments[2] & os.O_EXCL:
        return not os.path.lexists(path)
    if event == "os.mkdir":
        return path.parent.is_dir() and not os.path.lexists(path)
    if event == "os.rmdir":
        return path.is_dir() and not any(path.iterdir())
    return event != "os.remove" or os.path.lexists(path)


def _run_in_child(job: dict[str, Any]) -> None:
    """Run a script in this process, and exit."""
    import tensorflow

    if job["one_core"]:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    os.chdir(job["folder"])
    output = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    tensorflow.config.run_functions_eagerly(True)  # faster for so few steps, and it writes the same files
    script, *arguments = job["command"]
    sys.argv = [f"{script}.py", *arguments]
    watch = _Watch(Path(job["folder"]), job["kill"][0], after=job["kill"][1])
    sys.addaudithook(watch)
    status = 1
    with contextlib.suppress(Exception):
        try:
            runpy.run_path(str(ROOT / sys.argv[0]), run_name="__main__")
        except SystemExit as stop:
            status = int(stop.code or 0)
        except KeyboardInterrupt:  # before the script handles it
            status = 128 + signal.SIGINT
    watch.is_busy = True
    Path(job["calls"]).write_text(json.dumps(watch.calls))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _start(job: dict[str, Any]) -> int:
    child = os.fork()
    if not child:
        try:
            _run_in_child(job)
        finally:
            os._exit(1)
    return child


def _send(job: dict[str, Any], child: int) -> None:
    if job["signals"]:
        time.sleep(job["delay"])
    for number in job["signals"]:
        os.kill(child, number)
        time.sleep(0.05)


def _serve() -> None:
    """Read the jobs of each line of standard input; print the exit statuses of their children."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow  # noqa: F401

    for module in pkgutil.walk_packages(convscope.__path__, "convscope."):
        importlib.import_module(module.name)
    gc.freeze()  # the memory that the children share is not copied
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a background job
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        jobs = json.loads(line)
        children = [_start(job) for job in jobs]
        for job, child in zip(jobs, children, strict=True):
            _send(job, child)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(statuses), flush=True)


if __name__ == "__main__":
    _serve()
