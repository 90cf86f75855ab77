"""Standard output and standard error that may be closed or full: a stage continues without them."""

import contextlib
import io
import os
import sys
from typing import Any


class _Lenient(io.FileIO):
    """A file descriptor for output; after the first error, its output is discarded."""

    def write(self, content: Any, /) -> int:
        """Write bytes; if that fails (`| head`, a full disk), discard them and all later output."""
        try:
            return super().write(content)
        except OSError:
            _discard(self.fileno())
            return len(content)


def make_lenient() -> None:
    """Replace `sys.stdout` and `sys.stderr` of this process, unless a test or a notebook has replaced them.

    A closed descriptor is opened on the null device. Otherwise, the next file that is opened would get its
    number, and what is printed would be written into this file.
    """
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__"):
            continue
        try:
            os.fstat(descriptor)
        except OSError:
            _discard(descriptor)
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
        lenient = io.TextIOWrapper(
            io.BufferedWriter(_Lenient(descriptor, "w", closefd=False)),
            encoding=stream.encoding if stream else "utf-8",
            errors="backslashreplace",  # a terminal may not know a letter of a name
            line_buffering=stream is not None and (stream.line_buffering or stream.write_through),
        )
        setattr(sys, name, lenient)
        setattr(sys, f"__{name}__", lenient)


def _discard(descriptor: int) -> None:
    """Let a descriptor write to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
