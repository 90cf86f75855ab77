"""The space of maps and grids on disk: estimated before anything is written, and limited."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from convscope.graph import Layer, activation_of
from convscope.render.map_data import WHOLE

# Bytes, measured with InceptionV3: a value of a map as base64 text, or of a tile in a PNG, after a ReLU and
# without one, and what each channel adds.
_MAP, _MAP_SIGNED, _OF_CHANNEL = 0.75, 1.0, 40
_TILE, _TILE_SIGNED, _OF_TILE = 0.9, 1.2, 140


@dataclass(frozen=True)
class Space:
    """The bytes of a layer with `channels` channels for one photograph: a map, and a tile of its grid."""

    channels: int
    map: float
    tile: float


@dataclass(frozen=True)
class Plan:
    """What fits into the limit.

    `grids` is the number of photographs with grids, the first ones. `channels` is the maximum number of
    channels of a layer that the page shows, None for all. `megabytes` is the estimate.
    """

    grids: int
    channels: int | None
    megabytes: float


def space_of(layer: Layer, input_size: tuple[int, int], max_tile: int) -> Space:
    """Return the space of a layer with feature maps."""
    sides = [side or longest for side, longest in zip(layer.shape[:2], input_size, strict=True)]
    shrink = min(1.0, max_tile / max(sides)) ** 2
    values = math.prod(sides)
    stored = values * (shrink if values * layer.channels > WHOLE else 1)
    rectified = activation_of(layer.output) in ("relu", "relu6")
    return Space(
        layer.channels,
        _OF_CHANNEL + stored * (_MAP if rectified else _MAP_SIGNED),
        _OF_TILE + values * shrink * (_TILE if rectified else _TILE_SIGNED),
    )


def plan(layers: Sequence[Space], *, photographs: int, models: int, megabytes: float) -> Plan:
    """Return the channels of the page and the grids that fit into a number of megabytes.

    The maps of the page have priority. Grids are complete, or not drawn for a photograph.

    Args:
        layers: the layers.
        photographs: the number of photographs.
        models: the number of models, which have no grids if there are several.
        megabytes: the limit.
    """

    def maps(most: int) -> float:
        return photographs * models * sum(min(most, layer.channels) * layer.map for layer in layers) / 1e6

    widest = max((layer.channels for layer in layers), default=1)
    channels = max(1, bisect_right(range(widest + 1), megabytes, key=maps) - 1)
    grid = sum(layer.channels * layer.tile for layer in layers) / 1e6 if models == 1 else 0
    grids = photographs if grid == 0 else max(0, min(photographs, int((megabytes - maps(channels)) / grid)))
    return Plan(grids, channels if channels < widest else None, maps(channels) + grids * grid)
