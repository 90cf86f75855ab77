"""Crops of the examples of channels, many layers from one reading of each image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convscope.data.pipeline import LabelledImages
from convscope.graph import Layer
from convscope.parallel import in_threads
from convscope.render import rows
from convscope.vis.channel_statistics import rectified
from convscope.vis.channels.study import LayerStudy
from convscope.vis.channels.work import evenly_limited
from convscope.vis.layer_top import LayerTop
from convscope.vis.receptive_field import receptive_fields

LONGEST = 72  # pixels of a crop's longer side
CHANNELS = 1500  # channels of all layers with crops, at most
OF_LAYER = 256  # channels of one layer with crops, at most
_MEMORY = 2**27  # bytes of the crops in memory, about


@dataclass(frozen=True)
class Crops:
    """The crops of the examples of some channels: uint8 (channels, k, height, width, 3)."""

    layer: LayerStudy
    channels: np.ndarray
    pixels: np.ndarray


def channels_with_crops(studies: Sequence[LayerStudy]) -> list[np.ndarray]:
    """Return the channels of each layer that get crops: those with the strongest push, in ascending order."""
    alive = [layer.by_push[~layer.values.always_zero[layer.by_push]] for layer in studies]
    counts = evenly_limited([min(len(order), OF_LAYER) for order in alive], CHANNELS)
    return [np.sort(order[:count]) for order, count in zip(alive, counts, strict=True)]


def left_out(studies: Sequence[LayerStudy]) -> list[str]:
    """Return which channels get no crops, as a sentence or none."""
    shown = sum(map(len, channels_with_crops(studies)))
    alive = sum(int((~layer.values.always_zero).sum()) for layer in studies)
    if shown == alive:
        return []
    counts = f"{shown:,} of the {alive:,} channels that are not always zero"
    return [f"{counts} have pictures of their examples, those with the strongest push."]


def crops(
    studies: Sequence[LayerStudy], layers: Sequence[Layer], images: LabelledImages, size: tuple[int, int]
) -> Iterator[Crops]:
    """Yield the crops of each layer.

    Args:
        studies: the layers.
        layers: all layers of the model.
        images: the images of the study.
        size: height and width of the model's input.
    """
    fields = receptive_fields(layers)
    group: list[tuple[LayerStudy, LayerTop, np.ndarray]] = []
    for study, channels in zip(studies, channels_with_crops(studies), strict=True):
        output = study.layer.output
        top = study.values.examples().of_channels(channels)
        rectifies = rectified(layers, output) is output
        of_layer = LayerTop(output, fields[output.index], top, rectifies, len(images.paths), channels)
        tile = of_layer.tile_size(size, LONGEST) if len(channels) else (LONGEST, LONGEST)
        group.append((study, of_layer, np.empty((*top.value.shape, *tile, 3), np.uint8)))
        if sum(pixels.nbytes for *_, pixels in group) > _MEMORY:
            yield from _drawn(group, images, size)
            group = []
    yield from _drawn(group, images, size)


def _drawn(
    group: Sequence[tuple[LayerStudy, LayerTop, np.ndarray]], images: LabelledImages, size: tuple[int, int]
) -> Iterator[Crops]:
    """Fill the crops of a group of layers, and yield them."""

    def draw(example: int) -> None:
        pixels = images.read(example)
        for _, top, crops in group:
            for channel, rank in np.argwhere(top.top.example == example):
                # An example that does not excite the channel has no position: it is shown whole.
                is_silent = top.silent[channel, rank]
                window, mark = (None, None) if is_silent else top.crop_window(channel, rank, size)
                tile = (crops.shape[2], crops.shape[3])
                crops[channel, rank] = rows.example(pixels, window, mark, size=tile, input_size=size)

    used = {int(example) for _, top, _ in group for example in np.unique(top.top.example)}
    list(in_threads(draw, sorted(used)))
    for study, top, pixels in group:
        yield Crops(study, top.channels, pixels)
