"""Strips: the same channels in several models, side by side, a row for each channel."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.view import View
from convscope.render import mosaic
from convscope.render.artifact import Artifact
from convscope.render.levels import Levels
from convscope.render.strip import Strip, strip_sheet

WIDEST = 1400  # pixels of a sheet on which blocks of channels lie side by side


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
    """Return a strip as an artifact of a view; `numbered` writes the channels beside the rows."""
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
        levels: of each model, all of one size.
        channels: the index of each channel.
        columns: the title of each model.
        title: the heading of the strip.
        subtitle: what it shows.
        color_map: a colour map of Matplotlib.
        max_tile: the longest side of a tile in pixels.
        heading: what the titles of the columns are, such as "epoch".
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
    """Return how many channels of a layer are drawn: all of one model, the first ones of several.

    Args:
        view: a view of the run, whose option `comparison.channels` limits several models.
        channels: those of the layer.
        limit: the largest number that the view draws; 0 means any number.
    """
    several = view.run.config.settings_of("comparison").channels if len(view.run.models) > 1 else 0
    return min(number for number in (limit, several, channels) if number)
