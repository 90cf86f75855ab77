"""Feature maps as a picture for notebooks."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from PIL import Image

from convscope import images
from convscope.errors import ConvscopeError, unknown
from convscope.render import mosaic
from convscope.render.levels import DIVERGING, Levels, around_zero, from_zero, on_one_scale, per_channel
from convscope.vis.channel_statistics import ChannelStatistics


def grid(
    maps: np.ndarray,
    *,
    title: str = "",
    normalize: str = "channel",
    range: Sequence[float] | None = None,
    statistics: ChannelStatistics | None = None,
    color_map: str | None = None,
) -> Image.Image:
    """Return a picture with all channels of one photograph's feature maps side by side.

    `range` and `statistics` replace `normalize`; they make pictures of several photographs comparable.

    Args:
        maps: float (height, width, channels), finite.
        title: one line above the maps.
        normalize: "channel" (mean ± 2 standard deviations of the channel; maps of 1×1 pixels as in "layer"),
            or "layer" (one scale for all channels).
        range: lowest and highest value of one scale for all channels.
        statistics: statistics of the layer, from `OpenModel.statistics`. Each channel is scaled from 0 to its
            99.5th percentile, or symmetrically around 0 if the layer has negative values.
        color_map: name of a colour map of Matplotlib; None is viridis, or RdBu_r for values around 0.

    Raises:
        ConvscopeError: the maps have another shape or values that are not finite, the title has several
            lines, or the scale or the colour map is unknown.
    """
    maps = np.asarray(maps)
    _check_maps(maps)
    if title.splitlines() not in ([], [title]):
        raise ConvscopeError(f"title={title!r}: expected one line")
    if color_map is not None and color_map not in matplotlib.colormaps:
        raise unknown("colour map", color_map, matplotlib.colormaps)
    if statistics is not None and range is None:
        levels = _against(maps, statistics)
    else:
        levels = _levels(maps, normalize, range)
    default = DIVERGING if levels.diverging else "viridis"
    scale = mosaic.Scale(color_map or default, levels.labels)
    picture = mosaic.sheet(mosaic.map_tiles(levels), title, levels.meaning, scale)
    return Image.fromarray(images.in_rgb(picture))


def _check_maps(maps: np.ndarray) -> None:
    if maps.ndim != 3 or not maps.size:
        raise ConvscopeError(
            f"maps of shape {maps.shape}: expected the maps of one photograph, (height, width, channels), "
            "without a side of 0"
        )
    if not np.isfinite(maps).all():
        raise ConvscopeError(
            "the maps have values that are not finite: check the weights of the model and the input"
        )


def _against(maps: np.ndarray, statistics: ChannelStatistics) -> Levels:
    if statistics.high.shape != maps.shape[-1:]:
        raise ConvscopeError(
            f"the statistics have {len(statistics.high)} channels, but the maps have {maps.shape[-1]}: "
            "expected statistics and maps of the same layer"
        )
    images = f"on {statistics.pictures:,} images"
    if statistics.signed:
        return around_zero(maps, statistics.bound, f"the larger of its 0.5th and 99.5th percentile {images}")
    return from_zero(maps, statistics.high, f"its 99.5th percentile {images}")


def _levels(maps: np.ndarray, normalize: str, ends: Sequence[float] | None) -> Levels:
    if ends is not None:
        if len(ends) != 2 or not -np.inf < ends[0] < ends[1] < np.inf:
            raise ConvscopeError(f"range={ends}: expected (lowest, highest)")
        return on_one_scale(maps, *ends)
    if normalize not in ("channel", "layer"):
        raise ConvscopeError(f"normalize={normalize!r}: expected channel or layer")
    return (
        per_channel(maps)
        if normalize == "channel"
        else on_one_scale(maps, float(maps.min()), float(maps.max()))
    )
