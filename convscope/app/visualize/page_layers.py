"""The layers of a model as the page names them: a convolution and its activation are one layer."""

from convscope.models.bundle import ModelBundle
from convscope.models.layer_table import layer_rows
from convscope.render.page import LayerPart
from convscope.vis.layer_units import Unit, layer_units
from convscope.vis.receptive_field import Axis, receptive_fields


def index_text(index: int, count: int) -> str:
    """Return the index of a layer among `count` layers as text, with leading zeros so that names sort."""
    digits = max(2, len(str(count - 1)))
    return f"{index:0{digits}d}"


class PageLayers:
    """The layers of the page.

    Attributes:
        units: the layers.
        keys: the key of the page's layer, by the path of any of its parts.
        parts: the layers as the page needs them.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        """Find the layers of a model."""
        layers = bundle.layers
        self.units = layer_units(layers)
        by_index = {
            part.index: index_text(unit.layer.index, len(layers))
            for unit in self.units
            for part in unit.parts
        }
        self.keys = {layer.path: by_index[layer.index] for layer in layers}
        parameters = [row.parameters for row in layer_rows(layers)]
        fields = receptive_fields(layers)

        def part(unit: Unit) -> LayerPart:
            field = fields[unit.layer.index]
            return LayerPart(
                key=self.keys[unit.path],
                path=unit.path,
                kind=unit.parts[0].kind,
                shape=unit.layer.shape,
                parts=[layer.path for layer in unit.parts],
                sources=list(dict.fromkeys(by_index[source] for source in unit.parts[0].sources)),
                parameters=sum(parameters[layer.index] for layer in unit.parts),
                windows=[_window(field.height), _window(field.width)] if field else None,
            )

        self.parts = [part(unit) for unit in self.units]


def _window(axis: Axis) -> tuple[float, float, float]:
    return axis.start, axis.size, axis.stride
