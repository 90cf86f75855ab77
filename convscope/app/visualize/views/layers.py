"""The layers view: shape, parameters and receptive field of each layer, as a table and a diagram."""

from collections.abc import Iterator
from dataclasses import replace

from convscope.app.visualize.view import View
from convscope.config.schema.views import LayersConfig
from convscope.graph import Layer
from convscope.models.layer_table import aligned, layer_rows, shape_text
from convscope.render.artifact import Artifact
from convscope.render.diagram import Box, diagram
from convscope.render.page import layers_html
from convscope.vis.receptive_field import receptive_fields

COLUMNS = ("index", "path", "type", "output", "parameters", "receptive_field", "stride")
MAX_PRINTED = 40  # layers; longer tables are printed only if no other view is drawn


class LayersView(View[LayersConfig]):
    """Writes `layers/layers.csv`, prints it if it is short, and shows table and diagram on the page.

    With several models, it shows the layers of the first one.
    """

    def draw(self) -> Iterator[Artifact]:
        """Yield the table."""
        graph = self.run.models.first.graph
        rows = [
            (
                layer.index, row.name, row.kind, shape_text(row.shape), row.parameters,
                _sides(field.height.size, field.width.size) if field else "",
                _sides(field.height.stride, field.width.stride) if field else "",
            )
            for layer, row, field in zip(
                graph.layers, layer_rows(graph.layers), receptive_fields(graph.layers), strict=True
            )
        ]  # fmt: skip
        if len(rows) <= MAX_PRINTED or self.run.config.views == [self.settings.name]:
            print(aligned([COLUMNS, *([str(cell) for cell in row] for row in rows)], left=(1, 2)))
        for path in graph.opaque:
            print(f"note: the layers inside {path} are not listed, because it is a subclassed model")
        boxes = [
            Box(layer.path, layer.kind, shape_text(layer.shape), _role(layer), layer.sources)
            for layer in graph.layers
        ]
        table = self.table("layers/layers.csv", COLUMNS, rows, about={})
        yield replace(table, html=layers_html(COLUMNS, rows, diagram(boxes)))


def _role(layer: Layer) -> str:
    if layer.is_convolution:
        return "convolution"
    if "Pooling" in layer.kind:  # Keras has no common class of its pooling layers
        return "pooling"
    return "dense" if layer.has_units else "other"


def _sides(height: float, width: float) -> str:
    return f"{height:g}" if height == width else f"{height:g}×{width:g}"
