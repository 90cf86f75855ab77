"""A named pipe in place of a file gives an error instead of blocking for ever."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convscope import decode, files
from tests.conftest import ROOT, Outcome

LIMIT = 120  # seconds; a reader that blocks would wait for ever

READERS = {
    "load": "decode.load(path)",
    "load_plain": "decode.load_plain(path)",
    "sha256": "files.sha256(path)",
    "labels": "folder.find_candidates(path.parent, labels=path)",
    "archive": "archive.unpack(path, path.with_name('unpacked'), largest=1)",
    "statistics": "dataset_statistics.pixel_statistics([path])",
}
READ = """
import sys
from pathlib import Path
from convscope import decode, files
from convscope.data import archive, dataset_statistics, folder
from convscope.errors import ConvscopeError

path = Path(sys.argv[1])
try:
    {call}
except (ConvscopeError, OSError) as error:
    print(error)
"""


def run(*arguments: str) -> Outcome:
    """Run Python in a process of its own; raise TimeoutExpired if it blocks."""
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_refuses_a_named_pipe(tmp_path: Path, reader: str) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    outcome = run("-c", READ.format(call=READERS[reader]), str(tmp_path / "pipe.jpg"))
    assert outcome.status == 0, outcome.err
    assert "not a regular file" in outcome.out
    assert len(outcome.out.splitlines()) == 1


def test_a_folder_is_not_read_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(files.NotRegularError, match="not a regular file"):
        files.sha256(tmp_path)
    with pytest.raises(decode.DecodeError, match="not a regular file"):
        decode.load_plain(tmp_path)


def test_evaluate_refuses_a_named_pipe(trained_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_folder / "data", tmp_path / "data")
    image = next((tmp_path / "data" / "two" / "test" / "dark").iterdir())
    image.unlink()
    os.mkfifo(image)
    outcome = run(
        "train.py",
        f"evaluate={trained_folder / 'donor'}",
        "dataset=folder",
        "dataset.name=two",
        f"dataset.root={tmp_path / 'data'}",
        f"hydra.run.dir={tmp_path / 'scores'}",
    )
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith(f"error: cannot read {image}: not a regular file")
