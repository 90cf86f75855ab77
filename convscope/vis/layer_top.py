"""The examples with the highest values in the channels of a layer, and the receptive fields of the maxima."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer, joined_layers
from convscope.vis.channel_statistics import rectified
from convscope.vis.example_search import ExampleSearch, Top
from convscope.vis.layer_selection import select_with_maps
from convscope.vis.receptive_field import ReceptiveField, receptive_fields

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class LayerTop:
    """A layer, its receptive field, and the examples with the highest values in its channels.

    `field` is None if a position depends on the whole picture, or if the field is not known. `rectifies` is
    true if the layer ends in a ReLU. `seen` is the number of photographs in the search. `channels`, int64
    (channels,), are the indices of the channels in the rows of `top`.
    """

    layer: Layer
    field: ReceptiveField | None
    top: Top
    rectifies: bool
    seen: int
    channels: np.ndarray

    @property
    def tie_break(self) -> str:
        """How equal values are ranked, for a caption; empty if no channel is saturated."""
        count = int(self.top.saturated.sum())
        if not count:
            return ""
        return f"{count} saturated, their examples ranked by the value before the activation"

    def window(self, channel: int, rank: int) -> Window | None:
        """Return top, left, bottom and right of the receptive field, in pixels of the model's input."""
        if self.field is None:
            return None
        return self.field.window(int(self.top.row[channel, rank]), int(self.top.column[channel, rank]))

    @property
    def silent(self) -> np.ndarray:
        """The examples that do not excite their channel, bool (channels, k).

        Their value is zero after a ReLU, or equal for all examples.
        """
        silent = np.broadcast_to(self.top.constant[:, None], self.top.value.shape).copy()
        if self.seen == 1:
            silent[:] = False  # with one photograph, all values of a channel are equal
        if self.rectifies:
            silent |= self.top.value <= 0
        return silent

    def crop_window(
        self, channel: int, rank: int, input_size: tuple[int, int]
    ) -> tuple[Window | None, Window | None]:
        """Return the receptive field of an example, or, if it covers the picture, its position in the maps.

        Returns:
            two windows (field, position): top, left, bottom and right as fractions of the picture. The field
            is None if it covers the whole picture. The position is None if there is a field, or if the size
            of the maps is not known.
        """
        height, width = input_size
        window = self.window(channel, rank)
        if window is not None:
            top, left, bottom, right = window
            if top > 0 or left > 0 or bottom < height or right < width:
                return (top / height, left / width, bottom / height, right / width), None
        rows, columns = self.layer.shape[:2]
        if not rows or not columns:
            return None, None
        row, column = int(self.top.row[channel, rank]), int(self.top.column[channel, rank])
        return None, (row / rows, column / columns, (row + 1) / rows, (column + 1) / columns)

    def tile_size(self, input_size: tuple[int, int], longest: int) -> tuple[int, int]:
        """Return height and width of a crop in pixels: the field's aspect ratio, longer side `longest`."""
        ranks = np.ndindex(*self.top.value.shape)
        fields = [self.crop_window(channel, rank, input_size)[0] for channel, rank in ranks]
        if self.field is None or not any(fields):
            height, width = map(float, input_size)
        else:
            height, width = self.field.height.size, self.field.width.size
        factor = longest / max(height, width)
        return max(12, round(height * factor)), max(12, round(width * factor))


def layer_tops(search: ExampleSearch, layers: Sequence[Layer], *, limit: int = 0) -> list[LayerTop]:
    """Return the result of a search for each of its layers.

    Args:
        search: a search that has seen all examples, and all channels if `limit` is given.
        layers: all layers of the model.
        limit: the number of channels of each layer, the strongest ones (see `Top.strongest`); 0 returns all.
    """
    fields, tops = receptive_fields(layers), search.found
    result = []
    for layer in search.layers:
        channels = tops[layer.path].strongest(limit)
        result.append(
            LayerTop(
                layer,
                fields[layer.index],
                tops[layer.path].of_channels(channels),
                rectified(layers, layer) is layer,
                search.seen,
                channels,
            )
        )
    return result


def layers_to_search(
    layers: Sequence[Layer], patterns: Sequence[str], key: str = "examples.layers"
) -> list[Layer]:
    """Return the layers that match `patterns`; without patterns, four layers at equal steps of depth.

    The four layers are the activations after convolutions: between a convolution and its activation, a
    normalization with a negative factor can turn the strongest response into the weakest. `key` is the name
    of the setting in error messages.

    Raises:
        ConvscopeError: a pattern matches no layer, a layer has no feature maps, or there is no convolution.
    """
    chosen = select_with_maps(layers, patterns, key)
    if not patterns:
        ends = {member.index: joined.output for joined in joined_layers(layers) for member in joined.members}
        chosen = [ends[layer.index] for layer in chosen]
    if not chosen:
        raise ConvscopeError("examples: the model has no convolution; expected a convolutional network")
    return chosen
