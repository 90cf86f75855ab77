"""The examples that excite the channels of a layer most, and the receptive field of each position."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.vis.channel_statistics import rectified
from convscope.vis.example_search import ExampleSearch, Top
from convscope.vis.layer_selection import select_with_maps
from convscope.vis.receptive_field import ReceptiveField, receptive_fields

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class LayerTop:
    """A layer, its receptive field, and the examples that excite its channels most.

    `field` is None if a position depends on the whole picture, or if the field is not known. `rectifies` says
    that the output is cut off at zero. `seen` is the number of photographs of the search. `channels`, int64
    (channels,), are the numbers of the channels in the rows of `top`.
    """

    layer: Layer
    field: ReceptiveField | None
    top: Top
    rectifies: bool
    seen: int
    channels: np.ndarray

    @property
    def tie_break(self) -> str:
        """How equal values are ranked, for a caption; empty if no channel has equal highest values."""
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
        """The examples without a meaning, bool (channels, k): zeros after a ReLU, or equal values for all."""
        nothing = np.broadcast_to(self.top.constant[:, None], self.top.value.shape).copy()
        if self.seen == 1:
            nothing[:] = False  # the value of a single photograph equals that of all
        if self.rectifies:
            nothing |= self.top.value <= 0
        return nothing

    def crop_window(
        self, channel: int, rank: int, input_size: tuple[int, int]
    ) -> tuple[Window | None, Window | None]:
        """Return the receptive field of an example, or, if it covers the picture, the position itself.

        Returns:
            two windows: top, left, bottom and right as fractions of the picture. The first is None if the
            field covers the whole picture. The second is None if it does not, or if the size of the maps is
            not known.
        """
        height, width = input_size
        window = self.window(channel, rank)
        if window is not None:
            top, left, bottom, right = window
            if top > 0 or left > 0 or bottom < height or right < width:
                return (top / height, left / width, bottom / height, right / width), None
        down, across = self.layer.shape[:2]
        if not down or not across:
            return None, None
        row, column = int(self.top.row[channel, rank]), int(self.top.column[channel, rank])
        return None, (row / down, column / across, (row + 1) / down, (column + 1) / across)

    def tile_size(self, input_size: tuple[int, int], longest: int) -> tuple[int, int]:
        """Return height and width of a crop in pixels: the aspect of the field, the longer side `longest`."""
        ranks = np.ndindex(*self.top.value.shape)
        parts = [self.crop_window(channel, rank, input_size)[0] for channel, rank in ranks]
        if self.field is None or not any(parts):
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
        limit: channels of each layer, the strongest ones (see `Top.strongest`); 0 is all that were searched.
    """
    fields, found = receptive_fields(layers), search.found
    result = []
    for layer in search.layers:
        channels = found[layer.path].strongest(limit)
        result.append(
            LayerTop(
                layer,
                fields[layer.index],
                found[layer.path].of_channels(channels),
                rectified(layers, layer) is layer,
                search.seen,
                channels,
            )
        )
    return result


def layers_to_search(
    layers: Sequence[Layer], patterns: Sequence[str], key: str = "examples.layers"
) -> list[Layer]:
    """Return the chosen layers, or four convolutions across the depth, each after its activation.

    Before the activation, a normalisation with a negative factor may turn the strongest response into the
    weakest.

    Raises:
        ConvscopeError: a pattern matches no layer, a layer has no feature maps, or there is no convolution.
    """
    chosen = select_with_maps(layers, patterns, key)
    if not patterns:
        chosen = [rectified(layers, layer) or layer for layer in chosen]
    if not chosen:
        raise ConvscopeError("examples: the model has no convolution: expected a convolutional network")
    return chosen
