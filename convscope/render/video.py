"""Animations as MP4 files in H.264, and parts of them as GIF files; ffmpeg writes them."""

import tempfile
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from convscope.errors import ConvscopeError
from convscope.ffmpeg import program, running
from convscope.files import beside

FEWEST = 10  # frames per second; some players fail with one frame in two seconds
# The sides are padded to even lengths, because 2 x 2 pixels share a colour. Options of swscale and x264 that
# depend on the processor are fixed, so that the same frames give the same bytes.
_FILTER = (
    "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white,"
    "scale=flags=accurate_rnd+bitexact+full_chroma_int:out_color_matrix=bt709:out_range=tv,format=yuv420p"
)
_ENCODER = (
    "-c:v libx264 -preset medium -crf 18 -x264-params cpu-independent=1 -threads 1 -filter_threads 1 "
    "-colorspace bt709 -color_range tv "
    "-flags:v +bitexact -fflags +bitexact -map_metadata -1 -movflags +faststart -f mp4"
)
_KEEP_ASPECT = ":force_original_aspect_ratio=decrease:flags=area+accurate_rnd+bitexact"
_DITHER = "paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle"
_GIF = "-loop 0 -fflags +bitexact -f gif"


def mp4(path: Path, frames: Iterable[np.ndarray], rate: float | Fraction) -> float:
    """Write frames as an MP4 (H.264, yuv420p) for browsers and slide programs, completely or not at all.

    Frames are repeated until the file has at least ten frames per second. Sides of odd length get a white
    line.

    Args:
        path: path of the file.
        frames: one or more, uint8 (height, width, 3), RGB, all of one size; only one is in memory.
        rate: frames per second.

    Returns:
        the frames per second, without the repetitions.

    Raises:
        ConvscopeError: ffmpeg is missing or fails.
    """
    iterator = iter(frames)
    first = next(iterator)
    height, width = first.shape[:2]
    exact = rate if isinstance(rate, Fraction) else Fraction(rate).limit_denominator(1000)
    repeats = -(-FEWEST // exact)
    source = f"-y -f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {exact * repeats} -i -"
    with (
        beside(path) as partial,
        running([*source.split(), "-vf", _FILTER, *_ENCODER.split(), _url(partial)]) as process,
    ):
        try:
            for frame in chain([first], iterator):
                content = frame.tobytes()
                for _ in range(repeats):
                    process.input.write(content)
            status = process.end()
        except BrokenPipeError:
            status = process.end()  # the program has ended and has written its error
        _check(path, status, process.messages)
    return float(exact)


def gif_of_video(path: Path, video: Path, rate: float, longest: int, seconds: float) -> None:
    """Write the beginning of an MP4 as a GIF that repeats forever, with one palette for all frames.

    The frames are not kept in memory. The file is written completely or not at all.

    Args:
        path: path of the GIF.
        video: path of the MP4.
        rate: frames per second, at most 50; frames are left out.
        longest: the maximum of a frame's longer side in pixels; larger frames are shrunk.
        seconds: how much of the video is shown.

    Raises:
        ConvscopeError: ffmpeg is missing or fails.
    """
    small = f"fps={rate:.4f},scale=w='min(iw,{longest})':h='min(ih,{longest})'" + _KEEP_ASPECT
    source = ["-t", f"{seconds:.3f}", "-i", _url(video)]
    with beside(path) as partial, tempfile.TemporaryDirectory() as scratch:
        palette = str(Path(scratch, "palette.png"))
        steps = [
            [*source, "-vf", f"{small},palettegen=stats_mode=full", "-update", "1", palette],
            [*source, "-i", palette, "-lavfi", f"{small}[x];[x][1:v]{_DITHER}", *_GIF.split(), _url(partial)],
        ]
        for arguments in steps:
            with running(["-y", "-filter_threads", "1", "-threads", "1", *arguments]) as process:
                _check(path, process.end(), process.messages)


def _url(path: Path) -> str:
    """Return a path for ffmpeg, which reads `a:b` as protocol and address, and `-a` as an option."""
    return f"file:{path.absolute()}"


def _check(path: Path, status: int, messages: Sequence[str]) -> None:
    """Raise ConvscopeError if ffmpeg failed."""
    if status:
        reason = messages[0] if messages else f"status {status}"
        raise ConvscopeError(
            f"cannot write {path}: {program()} failed ({reason}); set IMAGEIO_FFMPEG_EXE to another ffmpeg"
        )
