"""The layers view: shape, parameters and receptive field of each layer, as a table."""

from collections.abc import Iterator

import numpy as np

from convscope.app.visualize.view import View, shown_as_table
from convscope.config.schema.views.layers import LayersConfig
from convscope.models.layer_table import aligned, layer_rows, shape_text
from convscope.render.artifact import Artifact
from convscope.render.data_script import packed
from convscope.vis.cell_weights import cell_weights
from convscope.vis.receptive_field import receptive_fields

COLUMNS = ("index", "path", "type", "output", "parameters", "receptive_field", "stride")
MOST_WEIGHTS = 500_000  # of all convolutions; larger networks have no sums on the page
MAX_PRINTED = 40  # layers; longer tables are printed only if no other view is drawn


class LayersView(View[LayersConfig]):
    """Writes `layers/layers.csv`, prints it if it is short, and shows it on the page.

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
        table = self.table("layers/layers.csv", COLUMNS, rows, about={})
        yield shown_as_table(table, COLUMNS, rows)
        yield from self._kernels()

    def _kernels(self) -> Iterator[Artifact]:
        """Yield the weights of each convolution of a small network, so that the page can show each sum.

        The page has the values of layers, but not of operations: a convolution after one has no sums.
        """
        layers = self.run.models.first.layers
        page_layers = self.run.page_layers
        convolutions = [layer for layer in page_layers.joined if layer.is_convolution]
        if sum(layer.members[0].keras_layer.count_params() for layer in convolutions) > MOST_WEIGHTS:
            return
        for layer in convolutions:
            weights = cell_weights(layer) if layer.reads_one_layer(layers) else None
            if weights and np.isfinite(weights.kernel).all() and np.isfinite(weights.bias).all():
                key = page_layers.keys[layer.path]
                content = {
                    "shape": list(weights.kernel.shape),
                    "values": packed(np.frombuffer(weights.kernel.astype("<f4").tobytes(), np.uint8)),
                    "bias": [float(f"{value:.6g}") for value in weights.bias],
                    "start": weights.start,
                    "strides": weights.strides,
                    "dilation": weights.dilation,
                    "folded": weights.folded,
                    "activation": weights.activation,
                }
                yield self.data_file(f"layers/{key}.js", content, data={"kind": "kernel", "layer": key})


def _sides(height: float, width: float) -> str:
    return f"{height:g}" if height == width else f"{height:g}×{width:g}"
