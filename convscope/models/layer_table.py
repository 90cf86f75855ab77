"""A model as a table: the output shape, the parameters and the FLOPs of each layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from convscope.graph import Layer, flops_of

_LONGEST = 48  # characters of a layer's name in the table


@dataclass(frozen=True)
class LayerRow:
    """A row of the table.

    `shape` is the shape of the output without the batch. `parameters` counts all parameters, `trained` the
    trainable ones. `flops` counts the operations for one picture; see `flops_of`.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameters: int
    trained: int
    flops: int


def layer_rows(layers: Sequence[Layer]) -> list[LayerRow]:
    """Return a row for each layer of a flat graph; a layer that is called twice has parameters once only."""
    return [_row(layer) for layer in layers]


def as_text(rows: Sequence[LayerRow]) -> str:
    """Return the table as text, with a line of totals; `frozen` marks layers without trainable parameters."""
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
    """Return rows of cells as a text table; the columns in `left` are left-aligned, the others right."""
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
    trained = sum(math.prod(weight.shape) for weight in layer.keras_layer.trainable_weights)
    return LayerRow(
        name=layer.path,
        kind=layer.kind,
        shape=layer.shape,
        parameters=layer.keras_layer.count_params() if first else 0,
        trained=trained if first else 0,
        flops=flops_of(layer),
    )


def shape_text(shape: tuple[int | None, ...]) -> str:
    """Return a shape as text, "28×28×64"; a side that depends on the input is a question mark."""
    return "×".join("?" if side is None else str(side) for side in shape)


def _numbers(parameters: int, flops: int) -> tuple[str, str]:
    return f"{parameters:,}", f"{flops / 1e6:,.1f}" if flops else "0"
