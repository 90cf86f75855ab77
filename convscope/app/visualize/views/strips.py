"""Strips: the same channels in several models side by side, with a row for each channel."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.view import View
from convscope.render import mosaic
from convscope.render.artifact import Artifact
from convscope.render.levels import Levels
from convscope.render.strip import Strip, strip_sheet

WIDEST = 1400  # maximum width in pixels of blocks of channels side by side


def strip_picture(
    view: View,
    path: str,
    strip: Strip,
    photograph: Photograph | None,
    about: dict[str, Any],
    *,
    widest: int = WIDEST,
    numbered: bool = True,
) -> Artifact:
    """Return a strip as an artifact of a view; for `widest` and `numbered`, see `strip_sheet`."""
    return view.picture(
        path,
        strip_sheet(strip, widest=widest, numbered=numbered),
        title=strip.title,
        caption=strip.subtitle,
        photograph=photograph,
        about=about,
    )


def map_strip(
    levels: Sequence[Levels],
    channels: Sequence[int],
    *,
    columns: Sequence[str],
    title: str,
    subtitle: str,
    color_map: str,
    max_tile: int,
    heading: str = "",
) -> Strip:
    """Return feature maps as a strip.

    Args:
        levels: the maps of each model, all of one size.
        channels: the indices of the channels.
        columns: the titles of the models.
        title: the heading of the strip.
        subtitle: a description of the strip.
        color_map: a colour map of Matplotlib.
        max_tile: the longest side of a tile in pixels.
        heading: the heading of the titles of the columns, for example "epoch".
    """
    layout = mosaic.Layout(max_tile)
    tiles = [mosaic.map_tiles(of_model, layout=layout) for of_model in levels]
    numbers = np.array(channels)
    return Strip(
        [mosaic.Tiles(tile.pixels, tile.silent, numbers) for tile in tiles],
        columns,
        title,
        subtitle,
        mosaic.Scale(color_map, levels[0].labels),
        heading,
    )


def shown_channels(view: View, channels: int, limit: int = 0) -> int:
    """Return how many channels of a layer are drawn: with one model all, with several the first ones.

    Args:
        view: a view of the run. Its option `comparison.channels` is the limit for several models.
        channels: the number of channels of the layer.
        limit: the maximum number that the view draws; 0 means any number.
    """
    several = view.run.config.settings_of("comparison").channels if len(view.run.models) > 1 else 0
    return min(number for number in (limit, several, channels) if number)
