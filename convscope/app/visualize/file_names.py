"""What the pictures of a run are called, from patterns such as `{layer}_grid.jpg`."""

import re
from dataclasses import asdict
from threading import Lock

from convscope import names
from convscope.config.schema.files import FilesConfig
from convscope.errors import ConvscopeError

_TAKEN = ("activations/summary.png", "activations/distributions.png")
OTHERS = ("photographs", "examples", "evolution", "compare")  # folders whose names no pattern changes


class FileNames:
    """Hands out each name once, whichever thread asks: no picture overwrites another one of its run."""

    def __init__(self, config: FilesConfig):
        """The patterns, whose fields are known."""
        self._patterns: dict[str, str] = asdict(config)
        self._taken = set(_TAKEN)
        self._lock = Lock()

    def __call__(self, kind: str, **fields: str) -> str:
        """The path of a picture in the run directory.

        Args:
            kind: a key of `files`.
            fields: the values of the pattern's fields; those that are no file names are made into some.

        Raises:
            ConvscopeError: another picture has this name already, or it is in a folder of other views.
        """
        pattern = self._patterns[kind]
        path = re.sub(r"\{(\w+)\}", lambda match: names.file_name(fields[match[1]]), pattern)
        folder = path.partition("/")[0]
        if folder.casefold() in OTHERS and folder != path:
            raise ConvscopeError(
                f"files.{kind}={pattern}: {path} would be among the {folder.casefold()} of the run, expected "
                "another folder"
            )
        differing = " and ".join(f"{{{field}}}" for field in fields)
        return self.take(path, f"files.{kind}={pattern}", f"names that differ by {differing}")

    def take(self, path: str, what: str, expected: str = "another name in files") -> str:
        """`path`, which is used for `what` from now on; raises ConvscopeError if it is used already."""
        with self._lock:
            if path.casefold() in self._taken:
                raise ConvscopeError(f"{what}: two pictures would be called {path}, expected {expected}")
            self._taken.add(path.casefold())
        return path
