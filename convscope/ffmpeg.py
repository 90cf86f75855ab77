"""The program ffmpeg, which reads and writes videos: that of the package imageio-ffmpeg, or of the system."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from convscope.errors import ConvscopeError

_LOGGED = 1 << 16  # bytes of the messages that are read


def program() -> str:
    """Return the path of ffmpeg; raise ConvscopeError if there is none for this machine."""
    try:
        import imageio_ffmpeg  # an optional package
    except ModuleNotFoundError:
        path = os.environ.get("IMAGEIO_FFMPEG_EXE") or shutil.which("ffmpeg")
    else:
        try:
            path = imageio_ffmpeg.get_ffmpeg_exe()
        except RuntimeError:
            path = None
    if path is None:
        raise ConvscopeError(
            "videos need ffmpeg, which was not found: run 'python -m pip install imageio-ffmpeg', or install "
            "ffmpeg and set IMAGEIO_FFMPEG_EXE to its path; photographs and animate=[gif] need no ffmpeg"
        )
    return path


class Process:
    """A running ffmpeg.

    Attributes:
        input: its standard input.
        output: its standard output.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
        """Store the process and the file that receives its messages."""
        assert process.stdin is not None
        assert process.stdout is not None
        self.input, self.output = process.stdin, process.stdout
        self._process, self._log = process, log

    def end(self) -> int:
        """Close the standard input, wait, and return the exit status."""
        self.input.close()
        return self._process.wait()

    @property
    def messages(self) -> list[str]:
        """The messages so far, without the names of the parts of ffmpeg; at most 64 KiB."""
        self._log.seek(0)
        lines = self._log.read(_LOGGED).decode(errors="replace").splitlines()
        return [re.sub(r"^(\[.*?\] )+", "", line).strip()[:200] for line in lines if line.strip()]


@contextmanager
def running(arguments: Sequence[str]) -> Iterator[Process]:
    """Start ffmpeg, and kill it at the end if it still runs.

    Raises:
        ConvscopeError: ffmpeg is missing or cannot be run.
    """
    command = [program(), "-hide_banner", "-v", "error", *arguments]
    with tempfile.TemporaryFile() as log:  # a pipe without a reader could fill up
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)  # noqa: S603
        except OSError as error:
            raise ConvscopeError(
                f"{command[0]} cannot be run ({error.strerror}): set IMAGEIO_FFMPEG_EXE to a working ffmpeg"
            ) from None
        try:
            yield Process(process, log)
        finally:
            if process.poll() is None:
                process.kill()
            for stream in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):
                    stream.close()  # type: ignore[union-attr]
            process.wait()
