import keras
import pytest
from tensorflow.python.framework import config

from convscope.training.determinism import deterministic_ops


def test_op_determinism_ends_with_the_block_even_after_an_error() -> None:
    assert not config.is_op_determinism_enabled()
    with deterministic_ops(True), deterministic_ops(True):
        assert config.is_op_determinism_enabled()
    assert not config.is_op_determinism_enabled()
    with pytest.raises(KeyError), deterministic_ops(True):
        raise KeyError
    assert not config.is_op_determinism_enabled()


def test_operations_are_unchanged_without_it() -> None:
    with deterministic_ops(False):
        assert not config.is_op_determinism_enabled()
        assert float(keras.ops.sum(keras.ops.ones(3))) == 3


def test_determinism_that_the_caller_enabled_stays() -> None:
    with deterministic_ops(True):
        with deterministic_ops(True):
            pass
        assert config.is_op_determinism_enabled()
