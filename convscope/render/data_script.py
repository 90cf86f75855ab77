"""Data files of the page: classic scripts, because a page that is opened from disk can load nothing else."""

import base64
import json
import zlib
from typing import Any

import numpy as np

REGISTRY = "convscopeData"  # the global object in which the scripts register their values


def data_script(key: str, content: Any) -> bytes:
    """Return a script that registers a JSON value under a key.

    Raises:
        ValueError: the content has NaN or an infinite number, which JSON does not have.
    """
    value = _literal(content)
    return f"(window.{REGISTRY} ||= {{}})[{_literal(key)}] = {value};\n".encode()


def packed(values: np.ndarray) -> str:
    """Return the bytes of a uint8 array, compressed by gzip, as base64 text."""
    if values.dtype != np.uint8:
        raise TypeError(f"values are {values.dtype}, expected uint8")
    return base64.b64encode(compressed(values.tobytes())).decode()


def compressed(content: bytes, *, differences: bool = False) -> bytes:
    """Return bytes as a gzip file; `differences` is faster and smaller for noise around zero."""
    strategy = zlib.Z_FILTERED if differences else zlib.Z_DEFAULT_STRATEGY
    compressor = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS, 9, strategy)
    return compressor.compress(content) + compressor.flush()


def _literal(content: Any) -> str:
    """Return JSON that is a JavaScript literal too, and that cannot end a script element."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
