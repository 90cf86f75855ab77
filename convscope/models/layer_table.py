"""A model as a table: each layer with its output's shape, its parameters and its operations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from convscope.graph import Layer

_LONGEST = 48  # characters of a layer's name in the table


@dataclass(frozen=True)
class LayerRow:
    """A layer: name and type, the shape of its output without the batch, its parameters, those that train.

    FLOPs are for one picture: two for each multiplication by a weight of a kernel and the addition after it.
    Biases, normalisation, activation and pooling, which are a few hundredths of a convnet, are not counted.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    trained: int
    flops: int


def layer_rows(layers: Sequence[Layer]) -> list[LayerRow]:
    """The layers of a flat graph, from input to output; a shared one has its parameters in its first row."""
    return [_row(layer) for layer in layers]


def as_text(rows: Sequence[LayerRow]) -> str:
    """The table, with a line of totals; `frozen` marks layers whose parameters do not train."""
    lines = [("layer", "type", "output", "parameters", "MFLOPs", "")]
    for row in rows:
        frozen = "frozen" if row.parameters and not row.trained else ""
        lines.append(
            (
                row.name[:_LONGEST],
                row.kind,
                shape_text(row.shape),
                *_numbers(row.parameters, row.flops),
                frozen,
            )
        )
    total = _numbers(sum(row.parameters for row in rows), sum(row.flops for row in rows))
    trained = sum(row.trained for row in rows)
    lines.append(("total", "", "", *total, f"{trained:,} train"))
    return aligned(lines, left=(0, 1, 2, 5))


def aligned(lines: Sequence[Sequence[str]], *, left: Sequence[int]) -> str:
    """Lines of cells as a table; the columns in `left` begin at the left, the others end at the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _row(layer: Layer) -> LayerRow:
    first = "@" not in layer.path
    kernels = [weight.shape for weight in layer.keras_layer.weights if "kernel" in weight.name]
    trained = sum(math.prod(weight.shape) for weight in layer.keras_layer.trainable_weights)
    return LayerRow(
        name=layer.path,
        kind=layer.kind,
        shape=layer.shape,
        parameters=layer.keras_layer.count_params() if first else 0,
        trained=trained if first else 0,
        flops=2 * _applications(layer) * sum(math.prod(kernel) for kernel in kernels),
    )


def _applications(layer: Layer) -> int:
    """How many places a layer's kernel is laid on: those of its output, of a transposed one its input's."""
    shape = layer.shape
    if isinstance(layer.keras_layer, keras.layers.Conv2DTranspose):
        shape = tuple(layer.input.shape[1:])
    return math.prod(side or 1 for side in shape[:-1])


def shape_text(shape: tuple[int | None, ...]) -> str:
    """As 28×28×64; a side that depends on the input is a question mark."""
    return "×".join("?" if side is None else str(side) for side in shape)


def _numbers(parameters: int, flops: int) -> tuple[str, str]:
    return f"{parameters:,}", f"{flops / 1e6:,.1f}" if flops else "0"
