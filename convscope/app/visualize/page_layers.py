"""The layers of a model as the page names them: a convolution and its activation are one layer."""

from convscope.graph import JoinedLayer, joined_layers
from convscope.models.bundle import ModelBundle
from convscope.models.layer_table import layer_rows
from convscope.render.page import LayerPart
from convscope.vis.receptive_field import Axis, receptive_fields


def index_text(index: int, count: int) -> str:
    """Return the index of a layer among `count` layers as text, with leading zeros so that names sort."""
    digits = max(2, len(str(count - 1)))
    return f"{index:0{digits}d}"


class PageLayers:
    """The layers of the page.

    Attributes:
        joined: the layers.
        keys: the key of the page's layer, by the path of any of its members.
        parts: the layers as the page needs them.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        """Find the layers of a model."""
        layers = bundle.layers
        self.joined = joined_layers(layers)
        by_index = {
            member.index: index_text(layer.output.index, len(layers))
            for layer in self.joined
            for member in layer.members
        }
        self.keys = {layer.path: by_index[layer.index] for layer in layers}
        parameters = [row.parameters for row in layer_rows(layers)]
        fields = receptive_fields(layers)

        def part(layer: JoinedLayer) -> LayerPart:
            field = fields[layer.output.index]
            return LayerPart(
                key=self.keys[layer.path],
                path=layer.path,
                kind=layer.members[0].kind,
                shape=layer.output.shape,
                members=[member.path for member in layer.members],
                sources=list(dict.fromkeys(by_index[source] for source in layer.members[0].sources)),
                parameters=sum(parameters[member.index] for member in layer.members),
                activated=layer.is_activated,
                windows=[_window(field.height), _window(field.width)] if field else None,
            )

        self.parts = [part(layer) for layer in self.joined]


def _window(axis: Axis) -> tuple[float, float, float]:
    return axis.start, axis.size, axis.stride
