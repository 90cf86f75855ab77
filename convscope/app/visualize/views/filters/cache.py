"""A content-addressed cache of patterns on disk, shared by all runs."""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from convscope import __version__
from convscope.files import write_bytes
from convscope.vis.ascent.patterns import Patterns

LIMIT = 512 * 2**20  # bytes


class PatternCache:
    """Patterns in files that are named after the hash of all that a pattern depends on.

    A damaged file counts as missing. At the end, the files that were not used for longest are deleted until
    the folder has at most `LIMIT` bytes.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Open the cache.

        Args:
            folder: the folder, which is created when the first pattern is added.
            about: what all patterns depend on, as JSON: the model, its preprocessing, the settings.
        """
        self._folder = folder
        versions = [__version__, keras.__version__, tf.__version__, np.__version__]
        self._about = json.dumps([about, versions], sort_keys=True)

    def get(self, layer: str, channel: int) -> Patterns | None:
        """Return the pattern of a channel, or None."""
        path = self._path(layer, channel)
        with suppress(OSError, ValueError, KeyError, EOFError):
            with np.load(path, allow_pickle=False) as arrays:
                found = Patterns(**{name: arrays[name] for name in Patterns.__dataclass_fields__})
            os.utime(path)
            return found
        return None

    def put(self, layer: str, channel: int, pattern: Patterns) -> None:
        """Add the pattern of a channel; on a full disk, print nothing and keep none."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{name: getattr(pattern, name) for name in vars(pattern)})
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self._path(layer, channel), buffer.getvalue())

    def trim(self, limit: int = LIMIT) -> None:
        """Delete the files that were not used for longest, until all files have at most `limit` bytes."""
        with suppress(OSError):
            files = sorted(self._folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
            size = sum(path.stat().st_size for path in files)
            for path in files:
                if size <= limit:
                    break
                size -= path.stat().st_size
                path.unlink()

    def _path(self, layer: str, channel: int) -> Path:
        digest = hashlib.sha256(f"{self._about}\n{layer}\n{channel}".encode()).hexdigest()
        return self._folder / f"{digest[:32]}.npz"
