"""Animations: sequences of pictures, and GIF files."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convscope import images
from convscope.files import write_bytes

_SAMPLE = 16  # the maximum number of frames that a palette is computed from
FRAME = 900  # the maximum of a frame's longer side in pixels, for pictures of several sizes


class Frames(Sequence[np.ndarray]):
    """Pictures of several sizes as frames of one size, uint8 (height, width, 3), on white at the top left.

    Pictures with a side of more than 900 pixels are shrunk. A frame is computed on access. `gif` keeps one
    byte in memory for each pixel of all frames; `mp4` keeps one frame.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], picture: Callable[[int], np.ndarray]):
        """Set the sizes, (height, width), and a function that returns picture i, uint8 (height, width, 3)."""
        self.picture = picture
        self.sizes = [_shrunk(*size) for size in sizes]
        self.size = max(height for height, _ in self.sizes), max(width for _, width in self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: Any) -> Any:
        height, width = self.sizes[index]  # raises IndexError at the end, which ends an iteration
        frame = np.full((*self.size, 3), 255, np.uint8)
        frame[:height, :width] = images.resize(self.picture(index), height, width)
        return frame


def _shrunk(height: int, width: int) -> tuple[int, int]:
    factor = min(1, FRAME / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def gif(path: Path, frames: Sequence[np.ndarray], rate: float) -> float:
    """Write frames as a GIF that repeats forever. The file is written completely or not at all.

    All frames share one palette without dithering: their own colours if there are at most 256, else 256
    similar ones (for more than 16 frames, similar to those of 16). A frame that equals the previous one is
    merged with it and shown for the time of both.

    Args:
        path: path of the file.
        frames: uint8 (height, width, 3), RGB, all of one size.
        rate: frames per second; a GIF counts in hundredths of a second, at least 2 for each frame.

    Returns:
        the frames per second after rounding.
    """
    hundredths = max(2, round(100 / rate))
    pictures = _in_one_palette(frames)
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=hundredths * 10,
        loop=0,
        optimize=False,
    )
    write_bytes(path, buffer.getvalue())
    return 100 / hundredths


def _in_one_palette(frames: Sequence[np.ndarray]) -> list[Image.Image]:
    count = len(frames)
    if count > _SAMPLE:  # a palette of all frames would take too long
        sample = np.concatenate([frames[int(index)] for index in np.linspace(0, count - 1, _SAMPLE)])
        shared = Image.fromarray(sample).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        return [Image.fromarray(frame).quantize(palette=shared, dither=Image.Dither.NONE) for frame in frames]
    pixels = np.stack(frames)
    height, width = pixels.shape[1:3]
    packed = pixels[..., 0].astype(np.uint32) << 16 | pixels[..., 1].astype(np.uint32) << 8 | pixels[..., 2]
    table = np.zeros(1 << 24, np.uint8)  # an entry for each colour: much faster than sorting the pixels
    table[packed] = 1
    colors = np.flatnonzero(table)
    if len(colors) <= 256:
        palette = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1).astype(np.uint8)
        table[colors] = np.arange(len(colors))
        indices = table[packed]
    else:
        stacked = Image.fromarray(pixels.reshape(count * height, width, 3))
        reduced = stacked.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        palette = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)
        indices = np.asarray(reduced).reshape(count, height, width)
    return [images.in_pillow(images.Indexed(frame, palette)) for frame in indices]
