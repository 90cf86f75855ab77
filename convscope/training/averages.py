"""The moving average of the weights, which the optimizer of Keras keeps."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Let a compiled model have the moving averages of its trainable weights; restore the weights at the end.

    The averages are those of an optimizer with `use_ema=True`. The weights are copied and restored bit for
    bit. The statistics of batch normalization do not change: they are averages already.
    """
    variables = model.trainable_variables
    weights = [np.asarray(variable).copy() for variable in variables]
    try:
        model.optimizer.finalize_variable_values(variables)
        yield
    finally:
        for variable, weight in zip(variables, weights, strict=True):
            variable.assign(weight)
