"""Animations as MP4 files in H.264, written by the ffmpeg program of the package imageio-ffmpeg."""

import subprocess
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from convscope.errors import ConvscopeError
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


def program() -> str:
    """Return the path of ffmpeg; raise ConvscopeError if there is none for this machine."""
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise ConvscopeError(
            "MP4 files need ffmpeg, which was not found: install ffmpeg and set IMAGEIO_FFMPEG_EXE to its "
            "path, or write GIF files only (animate=[gif])"
        ) from None


def mp4(path: Path, frames: Sequence[np.ndarray], rate: float) -> float:
    """Write frames as an MP4 (H.264, yuv420p) for browsers and slide programs, completely or not at all.

    Frames are repeated until the file has at least ten frames per second. Sides of odd length get a white
    line.

    Args:
        path: path of the file.
        frames: uint8 (height, width, 3), RGB, all of one size; they are accessed one at a time.
        rate: frames per second.

    Returns:
        the frames per second, without the repetitions.

    Raises:
        ConvscopeError: ffmpeg is missing or fails.
    """
    height, width = frames[0].shape[:2]
    exact = Fraction(rate).limit_denominator(1000)
    repeats = -(-FEWEST // exact)
    source = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {exact * repeats} -i -"
    command = [program(), "-v", "error", "-y", *source.split(), "-vf", _FILTER, *_ENCODER.split()]
    with beside(path) as partial:
        failure = _pipe([*command, str(partial)], frames, repeats)
        if failure is not None:
            raise ConvscopeError(
                f"cannot write {path}: {command[0]} {failure}; animate=[gif] needs no ffmpeg"
            )
    return float(exact)


def _pipe(command: Sequence[str], frames: Sequence[np.ndarray], repeats: int) -> str | None:
    """Write each frame `repeats` times to a program; return its error in one line, or None."""
    with tempfile.TemporaryFile() as errors:  # a pipe without a reader could fill up
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors)  # noqa: S603
        except OSError as error:
            return f"cannot be run ({error.strerror})"
        assert process.stdin is not None
        try:
            for frame in frames:
                content = frame.tobytes()
                for _ in range(repeats):
                    process.stdin.write(content)
            process.stdin.close()
            process.wait()
        except BrokenPipeError:
            process.wait()  # the program has ended and has written its error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode == 0:
            return None
        errors.seek(0)
        lines = errors.read().decode(errors="replace").splitlines() or [f"status {process.returncode}"]
        return f"failed ({lines[0][:200].strip()})"
