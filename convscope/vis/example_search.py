"""The examples of a data set that excite each channel most, found in one pass that keeps only the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from convscope.errors import ConvscopeError
from convscope.graph import Layer


@dataclass(frozen=True)
class Top:
    """The k examples with the highest values of each channel of a layer, the highest first.

    An example's value in a channel is the highest in its feature map, and its place is where that is, the
    first in reading order; so it is there once a channel. Equal values come in the order of the examples.

    `value`, float32, and `example`, `row`, `column`, int64, are (channels, k), where k is at most the number
    of examples; `lowest`, float32 (channels,), is the lowest value of all examples.
    """

    value: np.ndarray
    example: np.ndarray
    row: np.ndarray
    column: np.ndarray
    lowest: np.ndarray

    @property
    def same(self) -> np.ndarray:
        """Which channels tell no two examples apart: bool (channels,)."""
        return self.value[:, 0] == self.lowest


class ExampleSearch:
    """Looks through a data set batch by batch; what it keeps does not grow with it.

    Its graph is built once; maxima and places are computed in it, so that no maps leave it.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Layer], *, top: int, limit: int = 0):
        """Cut the flat model at the layers.

        Args:
            model: of `layers`.
            layers: with feature maps.
            top: how many examples a channel, at most.
            limit: channels a layer, the first ones; 0 all.
        """
        self.layers = list(layers)
        self.top = top
        self.seen = 0  # examples until now
        peaks = [_Peaks(limit, name=f"peaks_{layer.index}")(layer.output) for layer in self.layers]
        self._model = keras.Model(model.inputs[0], peaks) if peaks else None
        self._found: list[Top | None] = [None] * len(self.layers)

    def add(self, inputs: np.ndarray) -> None:
        """Look at the next examples.

        Args:
            inputs: preprocessed pictures, float32 (batch, height, width, channels).

        Raises:
            ConvscopeError: a layer puts out values that are not finite.
        """
        if self._model is None or not len(inputs):
            return
        outputs = [np.asarray(each) for each in keras.tree.flatten(self._model.predict_on_batch(inputs))]
        for place, layer in enumerate(self.layers):
            value, row, column, total = outputs[4 * place :][:4]
            if not (np.isfinite(total).all() and np.isfinite(value).all()):
                raise ConvscopeError(
                    f"layer {layer.path} puts out values that are not finite: the checkpoint is from a "
                    "training that diverged, or the input does not suit it"
                )
            example = np.arange(self.seen, self.seen + len(value))[:, None]
            batch = Top(
                value.T,
                np.broadcast_to(example, value.shape).T,
                row.T.astype(np.int64),
                column.T.astype(np.int64),
                value.min(axis=0),
            )
            self._found[place] = _best(self._found[place], batch, self.top)
        self.seen += len(inputs)

    @property
    def found(self) -> dict[str, Top]:
        """What was found until now, by the layer's path."""
        return {
            layer.path: top for layer, top in zip(self.layers, self._found, strict=True) if top is not None
        }


class _Peaks(keras.layers.Layer):
    """Of maps (batch, height, width, channels): the maximum, its row and column, the sum; (batch, channels).

    The sum shows what is not finite, which a maximum may pass over.
    """

    def __init__(self, limit: int, **options: Any):
        super().__init__(**options)
        self.limit = limit

    def call(self, maps: Any) -> list[Any]:
        """The maximum by columns first: argmax over all places at once takes several times as long."""
        if self.limit and self.limit < maps.shape[-1]:
            maps = maps[..., : self.limit]
        _, height, width, channels = ops.shape(maps)
        of_rows = ops.max(maps, axis=2)
        row = ops.argmax(of_rows, axis=1)
        across = ops.arange(width)[None, :, None] * channels + ops.arange(channels)
        at = ops.cast(row, "int32")[:, None] * (width * channels) + ops.cast(across, "int32")
        line = ops.take_along_axis(
            ops.reshape(maps, (-1, height * width * channels)),
            ops.reshape(at, (-1, width * channels)),
            axis=1,
        )
        column = ops.argmax(ops.reshape(line, (-1, width, channels)), axis=1)
        return [ops.max(of_rows, axis=1), row, column, ops.sum(maps, axis=(1, 2))]

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> list[tuple[int | None, ...]]:
        """Four times (batch, channels)."""
        channels = min(shape[-1] or 0, self.limit) if self.limit else shape[-1]
        return [(shape[0], channels)] * 4


def _best(before: Top | None, batch: Top, count: int) -> Top:
    """The best of both; what is in `before` comes first among equals."""
    both = [batch] if before is None else [before, batch]
    value = np.concatenate([each.value for each in both], axis=1)
    order = np.argsort(-value, axis=1, kind="stable")[:, :count]

    def chosen(name: str) -> np.ndarray:
        values = np.concatenate([getattr(each, name) for each in both], axis=1)
        return np.take_along_axis(values, order, axis=1)

    return Top(
        np.take_along_axis(value, order, axis=1),
        chosen("example"),
        chosen("row"),
        chosen("column"),
        np.min([each.lowest for each in both], axis=0),
    )
