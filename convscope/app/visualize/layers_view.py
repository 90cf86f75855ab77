"""The layers view of stage 3: each with shape, parameters, receptive field; a table and a drawing."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from convscope.app.train.announce import MOST_LAYERS
from convscope.app.visualize.page import Drawn
from convscope.config.schema.visualize import View, VisualizeConfig
from convscope.files import write_text
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.models.layer_table import aligned, layer_rows, shape_text
from convscope.render.artifact import DataFile
from convscope.render.diagram import Box, diagram
from convscope.render.page import LayerLine, LayersSection
from convscope.vis.receptive_field import ReceptiveField, receptive_fields

_FILE = "layers.csv"
COLUMNS = ("index", "path", "type", "output", "parameters", "receptive_field", "stride")


def draw_layers(bundle: ModelBundle, config: VisualizeConfig, directory: Path, drawn: Drawn) -> None:
    """Write `layers.csv` and put the layers on the page, if that is asked for.

    They are printed too, unless there are many and other views as well.
    """
    if View.layers in config.views:
        show = len(bundle.layers) <= MOST_LAYERS or config.views == [View.layers]
        drawn.layers = _draw(bundle.layers, bundle.graph.opaque, directory, show=show)
        drawn.tables.append(DataFile(_FILE, {"view": "layers", "model_sha256": bundle.sha256}))


def _draw(layers: Sequence[Layer], opaque: Sequence[str], directory: Path, *, show: bool) -> LayersSection:
    """Write `layers.csv`, and with `show` print it as a table; returns what the page shows."""
    lines = [
        LayerLine(
            layer.index,
            row.name,
            row.kind,
            shape_text(row.shape),
            row.parameters,
            _size(field),
            _stride(field),
        )
        for layer, row, field in zip(layers, layer_rows(layers), receptive_fields(layers), strict=True)
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(line.cells for line in lines)
    write_text(directory / _FILE, text.getvalue())
    if show:
        print(aligned([COLUMNS, *([str(cell) for cell in line.cells] for line in lines)], left=(1, 2)))
    for path in opaque:
        print(f"note: what is inside {path} cannot be reached: it is a subclassed model")
    boxes = [
        Box(layer.path, layer.kind, shape_text(layer.shape), _role(layer), layer.sources) for layer in layers
    ]
    return LayersSection(lines, diagram(boxes), list(opaque))


def _role(layer: Layer) -> str:
    if layer.is_convolution:
        return "convolution"
    if "Pooling" in layer.kind:
        return "pooling"
    return "dense" if layer.kind == "Dense" else "other"


def _size(field: ReceptiveField | None) -> str:
    return "" if field is None else _sides(field.height.size, field.width.size)


def _stride(field: ReceptiveField | None) -> str:
    return "" if field is None else _sides(field.height.stride, field.width.stride)


def _sides(height: float, width: float) -> str:
    return f"{height:g}" if height == width else f"{height:g}×{width:g}"
