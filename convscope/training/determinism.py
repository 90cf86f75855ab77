"""Deterministic operations of TensorFlow, for a limited time."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deterministic_ops(wanted: bool) -> Iterator[None]:
    """Make TensorFlow's operations deterministic inside the `with` block if `wanted`, and restore them.

    Otherwise all later jobs of a sweep would be slower. TensorFlow 2.21 has no public function that disables
    op determinism.
    """
    import tensorflow as tf
    from tensorflow.python.framework import config  # private; tests/training/test_determinism.py

    if not wanted or config.is_op_determinism_enabled():
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        config.disable_op_determinism()
