"""Animations: pictures one after the other in a GIF."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from convscope.files import write_bytes


def gif(path: Path, frames: np.ndarray, rate: float) -> None:
    """Write frames as a GIF that begins again at its end, whole or not at all.

    All frames share one palette, so that a colour is the same in each: the frames' own colours if they have
    no more than 256, else 256 near them, without dithering. A frame that equals the one before is joined with
    it, for the time of both.

    Args:
        path: of the file.
        frames: uint8 (frames, height, width, 3), RGB.
        rate: frames a second; a GIF counts hundredths of a second, and a frame is shown for 2 or more.
    """
    pictures = _in_one_palette(frames)
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=max(2, round(100 / rate)) * 10,
        loop=0,
        optimize=False,
    )
    write_bytes(path, buffer.getvalue())


def _in_one_palette(frames: np.ndarray) -> list[Image.Image]:
    count, height, width, _ = frames.shape
    packed = frames.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colors, places = np.unique(packed, return_inverse=True)
    if len(colors) <= 256:
        palette = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1).astype(np.uint8)
        indices = places.reshape(count, height, width).astype(np.uint8)
    else:
        stacked = Image.fromarray(frames.reshape(count * height, width, 3))
        reduced = stacked.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        palette = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)
        indices = np.asarray(reduced).reshape(count, height, width)
    pictures = []
    for each in indices:
        picture = Image.fromarray(each, "L")
        picture.putpalette(palette.tobytes())
        pictures.append(picture)
    return pictures
