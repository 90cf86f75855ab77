"""What excites the channels of a layer most: where, and how much of the picture is seen from there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.vis.channel_statistics import rectified
from convscope.vis.example_search import ExampleSearch, Top
from convscope.vis.layer_selection import with_filters
from convscope.vis.receptive_field import ReceptiveField, receptive_fields

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class Excited:
    """A layer, what a place of it sees (None: all, or not known), and what excites its channels most.

    `rectifies` says that its output is cut off at zero; `seen` is how many photographs were looked at;
    `channels`, int64 (channels,), are the channels that the rows of `top` belong to.
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
        """Top, left, bottom and right, in pixels of the model's input, of what the place sees."""
        if self.field is None:
            return None
        return self.field.window(int(self.top.row[channel, rank]), int(self.top.column[channel, rank]))

    @property
    def silent(self) -> np.ndarray:
        """Which examples say nothing, bool (channels, k): zeros after a ReLU, or as all the others are."""
        nothing = np.broadcast_to(self.top.constant[:, None], self.top.value.shape).copy()
        if self.seen == 1:
            nothing[:] = False  # a single photograph is as all are
        if self.rectifies:
            nothing |= self.top.value <= 0
        return nothing

    def seen_part(
        self, channel: int, rank: int, input_size: tuple[int, int]
    ) -> tuple[Window | None, Window | None]:
        """What the place sees and, where that is all of the picture, the place itself.

        Returns:
            top, left, bottom and right, as fractions of the picture; None where it sees all. The second is
            None where it does not, or how many places there are is open.
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
        """The aspect of what is seen, the longer side `longest`: (height, width) in pixels."""
        places = np.ndindex(*self.top.value.shape)
        parts = [self.seen_part(channel, rank, input_size)[0] for channel, rank in places]
        if self.field is None or not any(parts):
            height, width = map(float, input_size)
        else:
            height, width = self.field.height.size, self.field.width.size
        factor = longest / max(height, width)
        return max(12, round(height * factor)), max(12, round(width * factor))


def excited(search: ExampleSearch, layers: Sequence[Layer], *, limit: int = 0) -> list[Excited]:
    """What a search found, for each layer of it.

    Args:
        search: that has seen all examples; it must have searched all channels if `limit` is given.
        layers: all of the model.
        limit: channels a layer, the strongest ones (see `Top.strongest`); 0 is all that were searched.
    """
    fields, found = receptive_fields(layers), search.found
    result = []
    for layer in search.layers:
        channels = found[layer.path].strongest(limit)
        result.append(
            Excited(
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
    """The layers that are chosen, or four across the depth, after the activation that follows them.

    Before it a channel's strongest response may be what normalisation with a negative factor puts last.

    Raises:
        ConvscopeError: there is none, or one has no feature maps.
    """
    chosen = with_filters(layers, patterns, key)
    if not patterns:
        chosen = [rectified(layers, layer) or layer for layer in chosen]
    if not chosen:
        raise ConvscopeError("examples: the model has no convolution, expected one to search")
    return chosen
