"""A model as a table: each layer with its output's shape, its parameters and its operations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras

_LONGEST = 48  # characters of a layer's name in the table


@dataclass(frozen=True)
class LayerRow:
    """A layer: its name and type, the shape of its output without the batch, its parameters, its FLOPs.

    FLOPs are for one picture: two for each multiplication by a weight of a kernel and the addition after it.
    Biases, normalisation, activation and pooling, which are a few
    hundredths of a convnet, are not counted.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    trains: bool
    flops: int


def layer_rows(model: keras.Model) -> list[LayerRow]:
    """The layers of a model, from input to output; a model inside it is one row."""
    return [_row(layer) for layer in model.layers]


def as_text(rows: Sequence[LayerRow]) -> str:
    """The table, with a line of totals; `frozen` marks layers whose parameters do not train."""
    lines = [("layer", "type", "output", "parameters", "MFLOPs", "")]
    for row in rows:
        frozen = "frozen" if row.parameters and not row.trains else ""
        lines.append(
            (row.name[:_LONGEST], row.kind, _shape(row.shape), *_numbers(row.parameters, row.flops), frozen)
        )
    total = _numbers(sum(row.parameters for row in rows), sum(row.flops for row in rows))
    trained = sum(row.parameters for row in rows if row.trains)
    lines.append(("total", "", "", *total, f"{trained:,} train"))
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in (3, 4) else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _row(layer: keras.layers.Layer) -> LayerRow:
    shape = _first_shape(layer.output)
    return LayerRow(
        name=layer.name,
        kind=type(layer).__name__,
        shape=shape,
        parameters=layer.count_params(),
        trains=bool(layer.trainable_weights),
        flops=_flops(layer, shape),
    )


def _flops(layer: keras.layers.Layer, shape: tuple[int | None, ...]) -> int:
    if isinstance(layer, keras.Model):
        return sum(row.flops for row in layer_rows(layer))
    kernels = [weight.shape for weight in layer.weights if len(weight.shape) > 1]
    return 2 * _applications(layer, shape) * sum(math.prod(kernel) for kernel in kernels)


def _applications(layer: keras.layers.Layer, shape: tuple[int | None, ...]) -> int:
    """How many places a layer's kernel is laid on: those of its output, of a transposed one its input's."""
    if isinstance(layer, keras.layers.Conv2DTranspose):
        shape = _first_shape(layer.input)
    channels_first = getattr(layer, "data_format", None) == "channels_first"
    places = shape[1:] if channels_first else shape[:-1]
    return math.prod(side or 1 for side in places)


def _first_shape(tensors: object) -> tuple[int | None, ...]:
    first = keras.tree.flatten(tensors)[0]
    return tuple(first.shape[1:])


def _shape(shape: tuple[int | None, ...]) -> str:
    return "×".join("?" if side is None else str(side) for side in shape)


def _numbers(parameters: int, flops: int) -> tuple[str, str]:
    return f"{parameters:,}", f"{flops / 1e6:,.1f}" if flops else "0"
