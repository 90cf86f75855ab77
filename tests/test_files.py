import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from convscope import files
from convscope.errors import ConvscopeError

# For every line N of standard input, replace a folder in a child process that kills itself before its N-th
# call that changes the file system. Print the exit status of the child, which is its number of such calls.
PROBE = """
import os, signal, sys
from pathlib import Path
from convscope import files

target, exchange = Path(sys.argv[1]), sys.argv[2] == "exchange"
events = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.link", "shutil.rmtree", "ctypes.dlsym")
count = last = 0
armed = False

def watch(event, arguments):
    global count
    changes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_CREAT)
    if armed and (event in events or changes):
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

def replace_folder():
    global armed
    with files.replacing(target) as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "new.txt").write_text("new")
        (partial / "new.txt").write_text("new")
        armed = True
    armed = False

sys.addaudithook(watch)
if not exchange:
    files.exchange = lambda one, other: False
for line in sys.stdin:
    last = int(line)
    child = os.fork()
    if not child:
        replace_folder()
        os._exit(count)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@contextmanager
def probe(target: Path, way: str) -> Iterator[Callable[[int], int]]:
    """Yield a function that replaces `target` in a process killed before call N and returns its status."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROBE, str(target), way],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def replace(last: int) -> int:
        process.stdin.write(f"{last}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    with process:
        yield replace
        process.stdin.close()


def make_old(target: Path) -> None:
    with files.replacing(target) as partial:
        (partial / "old.txt").write_text("old")
        (partial / "inner").mkdir()
        (partial / "inner" / "old.txt").write_text("old")


def contents(target: Path) -> set[str]:
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


OLD, NEW = {"old.txt", "inner/old.txt"}, {"new.txt", "inner/new.txt"}


@pytest.mark.parametrize("way", ["exchange", "two renames"])
def test_a_kill_before_or_after_any_call_leaves_the_old_or_the_new_folder(tmp_path: Path, way: str) -> None:
    target = tmp_path / "set"
    make_old(target)
    seen = []
    with probe(target, way) as replace:
        calls = replace(0)
        assert calls >= 4
        for last in range(1, calls + 2):  # before call n + 1 is after call n; the last run is not killed
            make_old(target)
            assert replace(last) == (-9 if last <= calls else calls)
            if way == "exchange":  # at any moment; the other way needs the next run to repair the folder
                assert contents(target) in (OLD, NEW)
            with files.replacing(target):
                assert contents(target) in (OLD, NEW)
                seen.append(contents(target))
            assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert seen[0] == OLD
    assert seen[-1] == NEW


def test_an_empty_new_folder_changes_nothing(tmp_path: Path) -> None:
    make_old(tmp_path / "set")
    with files.replacing(tmp_path / "set"):
        pass
    assert contents(tmp_path / "set") == OLD
    with files.replacing(tmp_path / "other"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    make_old(tmp_path / "set")

    def fail() -> None:
        with files.replacing(tmp_path / "set") as partial:
            (partial / "half").mkdir()
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert contents(tmp_path / "set") == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with files.replacing(tmp_path / "set") as partial:
        (partial / "mine").write_text("mine")
        with pytest.raises(ConvscopeError, match="another run is writing"), files.replacing(tmp_path / "set"):
            pass
        assert (partial / "mine").exists()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        files.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
