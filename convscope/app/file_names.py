"""What the pictures of a run are called, from patterns such as `{layer}_grid.jpg`."""

import re
from dataclasses import asdict

from convscope import names
from convscope.config import FilesConfig
from convscope.errors import ConvscopeError

_TAKEN = ("activations/summary.png", "activations/distributions.png")
_OTHERS = ("photographs/", "examples/", "evolution/", "compare/")


class FileNames:
    """Hands out each name once: no picture overwrites another one of its run."""

    def __init__(self, config: FilesConfig):
        """The patterns, whose fields are known."""
        self._patterns: dict[str, str] = asdict(config)
        self._taken = set(_TAKEN)

    def __call__(self, kind: str, **fields: str) -> str:
        """The path of a picture in the run directory.

        Args:
            kind: a key of `files`.
            fields: the values of the pattern's fields; those that are no file names are made into some.

        Raises:
            ConvscopeError: another picture has this name already.
        """
        pattern = self._patterns[kind]
        path = re.sub(r"\{(\w+)\}", lambda match: names.file_name(fields[match[1]]), pattern)
        if path.casefold() in self._taken or path.startswith(_OTHERS):
            raise ConvscopeError(
                f"files.{kind}={pattern}: two pictures would be called {path}, expected names that differ by "
                + " and ".join(f"{{{field}}}" for field in fields)
            )
        self._taken.add(path.casefold())
        return path
