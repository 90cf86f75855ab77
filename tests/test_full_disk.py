"""A full disk, and a standard output that is closed or full: the error names the file; no result is lost."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from convscope.config.explain import explain
from convscope.data.features import _open_partial
from convscope.data.image_files import link_or_copy
from convscope.files import write_bytes
from convscope.models import small_convnet
from convscope.models.bundle import save_model
from tests.conftest import ROOT, Outcome

PRINT = """
import os, sys
from convscope.config.standard_streams import make_lenient
from convscope.progress import progress
make_lenient()
for number in progress(range(3)):
    print("line", number, flush=True)
with open("written.txt", "w") as file:
    file.write("content")
    print("more", flush=True)
    print("error", file=sys.stderr)
    os.write(1, b"from another library")
"""


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let every write beyond `size` bytes of a file fail in this process, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("data.bin", lambda path: write_bytes(path, bytes(5000))),
        (
            "model.keras",
            lambda path: save_model(small_convnet.build(2, input_size=20, widths=(3,)), path.parent),
        ),
        ("features.npy", lambda path: _open_partial(path, (100, 20))),
    ],
)
def test_the_error_of_a_full_disk_names_the_file(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    with file_size_limit(1000), pytest.raises(OSError, match="File too large") as error:
        write(tmp_path / name)
    assert explain(error.value, {}) == f"File too large: {tmp_path / name}"
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_a_copy_names_both_files(tmp_path: Path) -> None:
    source, target = tmp_path / "source.png", tmp_path / "set" / "target.png"
    source.write_bytes(bytes(5000))
    with file_size_limit(1000), pytest.raises(OSError, match="File too large") as error:
        link_or_copy(source, target, "copy")
    assert explain(error.value, {}) == f"File too large: {source} -> {target}"


def test_a_full_disk_is_an_error_of_one_line(
    command: Callable[..., Outcome], class_folders: Path, tmp_path: Path
) -> None:
    given = ["dataset=folder", "dataset.name=two", f"dataset.source={class_folders}", "split.link=copy"]
    with file_size_limit(1000):
        outcome = command("create_train_val_test", *given)
    assert outcome.status == 1
    last = outcome.err.splitlines()[-1]
    assert last.startswith(f"error: File too large: {class_folders}/dark/")
    assert " -> data/.two.partial/train/dark/" in last
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "redirection", [">/dev/full", ">&-", "| true", ">/dev/full 2>&1", "2>&-", ">&- 2>&-"]
)
def test_a_program_continues_without_standard_output(tmp_path: Path, redirection: str) -> None:
    (tmp_path / "program.py").write_text(PRINT)
    shell = f"set -o pipefail; '{sys.executable}' program.py {redirection}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "written.txt").read_text() == "content"


def test_a_data_set_is_written_although_standard_output_is_full(tmp_path: Path, class_folders: Path) -> None:
    given = ["dataset=folder", "dataset.name=two", f"dataset.source={class_folders}"]
    command = [sys.executable, ROOT / "create_train_val_test.py", *given]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    assert (tmp_path / "data" / "two" / "manifest.json").is_file()
