"""The search for the examples of a data set with the highest values of each channel, in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from convscope.graph import Layer, before_activation
from convscope.vis.extractor import check_finite

# Activations with an upper limit, where different examples get equal values in float32.
_BOUNDED = ("relu6", "sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "softsign", "sparse_sigmoid")


@dataclass(frozen=True)
class Top:
    """The k examples with the highest values of each channel of a layer, the highest first.

    The value of an example in a channel is the maximum of its feature map; its position is the position of
    the maximum. An example occurs once in a channel. If the activation has an upper limit, equal values are
    ranked by the value before the activation. Values that are equal even then are ranked by the order of the
    examples, and, within one map, by rows and then columns.

    `value`, float32, and `example`, `row`, `column`, int64, are (channels, k), where k is at most the number
    of examples. `lowest`, float32 (channels,), is the lowest value of all examples. `before`, float32
    (channels, k), is the value before the activation at the position, None if the activation has no upper
    limit.
    """

    value: np.ndarray
    example: np.ndarray
    row: np.ndarray
    column: np.ndarray
    lowest: np.ndarray
    before: np.ndarray | None = None

    @property
    def constant(self) -> np.ndarray:
        """The channels that have the same value for all examples: bool (channels,)."""
        return self.value[:, 0] == self.lowest

    @property
    def saturated(self) -> np.ndarray:
        """The channels where several examples reach the activation's upper limit: bool (channels,)."""
        if self.before is None:
            return np.zeros(len(self.value), bool)
        equal = (self.value == self.value[:, :1]).sum(axis=1) > 1
        return equal & (self.before[:, 0] > self.value[:, 0])

    def strongest(self, count: int) -> np.ndarray:
        """Return the channels with the highest values, int64 (count,) in ascending order; 0 returns all.

        Equal values are ranked by the value before the activation, then by the index of the channel. Channels
        that have the same value for all examples come last.
        """
        before = self.value if self.before is None else self.before
        order = np.lexsort((-before[:, 0], -self.value[:, 0], self.constant))
        return np.sort(order[: count or None])

    def of_channels(self, channels: np.ndarray) -> "Top":
        """Return the examples of some of the channels; `channels` is int (n,)."""
        return Top(
            self.value[channels],
            self.example[channels],
            self.row[channels],
            self.column[channels],
            self.lowest[channels],
            None if self.before is None else self.before[channels],
        )


class ExampleSearch:
    """A search through a data set, batch by batch; its memory does not grow with the data set.

    Its graph is built once. It returns maxima and positions, and no feature maps.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Layer], *, top: int):
        """Cut the flat model at the layers.

        Args:
            model: the flat model that the layers belong to.
            layers: layers with feature maps.
            top: the maximum number of examples for each channel.
        """
        self.layers = list(layers)
        self.top = top
        self.seen = 0  # examples so far
        peaks = [peaks_of(layer) for layer in self.layers]
        self._model = keras.Model(model.inputs[0], peaks) if peaks else None
        self._found: list[Top | None] = [None] * len(self.layers)

    def add(self, inputs: np.ndarray) -> None:
        """Search the next examples.

        Args:
            inputs: preprocessed pictures, float32 (batch, height, width, channels).

        Raises:
            ConvscopeError: a layer returns values that are not finite.
        """
        if self._model is None or not len(inputs):
            return
        outputs = [np.asarray(output) for output in keras.tree.flatten(self._model.predict_on_batch(inputs))]
        for index, layer in enumerate(self.layers):
            batch = unranked(layer, outputs[PARTS * index :][:PARTS], first=self.seen)
            self._found[index] = best(self._found[index], batch, self.top)
        self.seen += len(inputs)

    @property
    def found(self) -> dict[str, Top]:
        """The best examples so far, by layer path."""
        return {
            layer.path: top for layer, top in zip(self.layers, self._found, strict=True) if top is not None
        }


PARTS = 5  # outputs of a layer of peaks


def peaks_of(layer: Layer) -> list[Any]:
    """Return five symbolic tensors (batch, channels) of a layer; see `_Peaks`."""
    saturates = _saturates(layer.keras_layer)
    inputs = [layer.output, before_activation(layer.output)] if saturates else [layer.output]
    return _Peaks(name=f"peaks_{layer.index}")(inputs)


def unranked(layer: Layer, peaks: Sequence[np.ndarray], *, first: int = 0) -> Top:
    """Return the outputs of `peaks_of` as a `Top` in the order of the examples; `best` ranks them.

    Args:
        layer: the layer of the peaks.
        peaks: five arrays (n, channels).
        first: the index of the first example.

    Raises:
        ConvscopeError: a value is not finite.
    """
    value, row, column, total, before = peaks
    check_finite(layer.path, total, value)
    return Top(
        value.T,
        np.broadcast_to(np.arange(first, first + len(value)), value.T.shape),
        row.T.astype(np.int64),
        column.T.astype(np.int64),
        value.min(axis=0),
        before.T if _saturates(layer.keras_layer) else None,
    )


class _Peaks(keras.layers.Layer):
    """The maximum of maps (batch, height, width, channels), its row and column, the sum, and a tie-break.

    Each of the five outputs is (batch, channels). The sum is not finite if any value is not finite; the
    maximum may be finite even then. The input is the maps, or a pair: the maps and the maps before the
    activation. For a pair, the tie-break is the value before the activation at the position of the maximum,
    and of several equal maxima the layer returns the one with the highest tie-break. Otherwise the tie-break
    is the maximum.
    """

    def call(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the five outputs."""
        maps = inputs[0]
        if len(inputs) == 1:
            highest, row, column = _maximum(maps)
            return [highest, row, column, ops.sum(maps, axis=(1, 2)), highest]
        highest = ops.max(maps, axis=(1, 2), keepdims=True)
        before, row, column = _maximum(ops.where(maps == highest, inputs[1], -np.inf))
        return [highest[:, 0, 0], row, column, ops.sum(maps, axis=(1, 2)), before]

    def compute_output_shape(self, shapes: Sequence[tuple[int | None, ...]]) -> list[tuple[int | None, ...]]:
        """Return (batch, channels) for each output."""
        batch, *_, channels = shapes[0]
        return [(batch, channels)] * PARTS


def _maximum(maps: Any) -> tuple[Any, Any, Any]:
    """Return the maximum, its row and its column, each (batch, channels).

    The maximum of each row is computed first: one `argmax` over all positions takes several times as long.
    """
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
    return ops.max(of_rows, axis=1), row, column


def _saturates(layer: keras.layers.Layer) -> bool:
    """Return whether the layer's activation has an upper limit."""
    activation = layer if isinstance(layer, keras.layers.ReLU) else getattr(layer, "activation", None)
    if isinstance(activation, keras.layers.ReLU):
        return activation.max_value is not None
    return getattr(activation, "__name__", "") in _BOUNDED


def best(before: Top | None, batch: Top, count: int) -> Top:
    """Return the best `count` examples of both; of equal examples, those of `before` come first."""
    both = [batch] if before is None else [before, batch]

    def joined(name: str) -> np.ndarray | None:
        values = [getattr(top, name) for top in both]
        return None if values[0] is None else np.concatenate(values, axis=1)

    parts = {name: joined(name) for name in ("value", "example", "row", "column", "before")}
    keys = [-part for part in (parts["before"], parts["value"]) if part is not None]  # the last one decides
    order = np.lexsort(keys, axis=1)[:, :count]
    return Top(
        lowest=np.min([top.lowest for top in both], axis=0),
        **{
            name: None if part is None else np.take_along_axis(part, order, axis=1)
            for name, part in parts.items()
        },  # type: ignore[arg-type]
    )
