import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from convscope.errors import ConvscopeError
from convscope.parallel import in_processes

ROOT = Path(__file__).resolve().parent.parent
LOCK = threading.Lock()
PROBE = """
import sys
from convscope.parallel import in_processes
from tests.test_parallel import write_process_id

list(in_processes(write_process_id, [(sys.argv[1], name) for name in "ab"], workers=2))
"""


def lock_is_free(_: object) -> bool:
    return not LOCK.locked()


def ignores_interrupts(_: object) -> bool:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    return signal.SIGINT in blocked and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def kill_itself(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_process_id(item: tuple[str, str]) -> None:
    folder, name = item
    (Path(folder) / f"{name}.partial").write_text(str(os.getpid()))
    (Path(folder) / f"{name}.partial").rename(Path(folder) / name)
    time.sleep(60)


def is_running(process_id: int) -> bool:
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_workers_do_not_inherit_a_lock_that_another_thread_may_hold() -> None:
    with LOCK:
        assert list(in_processes(lock_is_free, [0, 1], workers=2)) == [True, True]


def test_workers_ignore_ctrl_c_from_their_start_and_this_process_does_not() -> None:
    assert list(in_processes(ignores_interrupts, [0, 1], workers=2)) == [True, True]
    assert not ignores_interrupts(0)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


def test_results_keep_the_order_of_the_items() -> None:
    assert list(in_processes(abs, range(-50, 0), workers=2)) == list(range(50, 0, -1))


def test_workers_do_not_run_the_script_of_their_parent_again(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"  # as a beginner writes it, without `if __name__ == "__main__"`
    script.write_text(
        "from convscope.parallel import in_processes\nprint(list(in_processes(abs, [-1, -2], workers=2)))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[1, 2]\n", "")


def test_a_worker_that_dies_is_an_error_of_one_line() -> None:
    with pytest.raises(ConvscopeError, match="a worker process died"):
        list(in_processes(kill_itself, [0, 1], workers=2))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PROBE, str(tmp_path)], cwd=ROOT)
    try:
        while len(list(tmp_path.glob("[ab]"))) < 2:
            assert parent.poll() is None
            time.sleep(0.02)
    finally:
        parent.kill()
        parent.wait()
    workers = [int(path.read_text()) for path in tmp_path.glob("[ab]")]
    while any(is_running(worker) for worker in workers):  # each would sleep for a minute
        time.sleep(0.02)
