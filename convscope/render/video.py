"""Animations as MP4: pictures one after the other in H.264, by the ffmpeg that imageio-ffmpeg brings."""

import subprocess
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from convscope.errors import ConvscopeError
from convscope.files import beside

FEWEST = 10  # frames a second: some players stand still, or show nothing, with one in two seconds
# The sides are made even, as the colours of 2 x 2 pixels are one. What swscale and x264 would choose by the
# processor is fixed, so that the same frames give the same bytes.
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
    """The path of ffmpeg; raises ConvscopeError if there is none for this machine."""
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise ConvscopeError(
            "no ffmpeg for this machine, an MP4 needs it: install one, set IMAGEIO_FFMPEG_EXE to its path, "
            "or write GIFs alone (animate=[gif])"
        ) from None


def mp4(path: Path, frames: Sequence[np.ndarray], rate: float) -> float:
    """Write frames as an MP4 (H.264, yuv420p) that any browser and slide program plays, whole or not at all.

    Below ten frames a second each is repeated as often as it takes. Sides of odd length get a line of white.

    Args:
        path: of the file.
        frames: uint8 (height, width, 3), RGB, all of one size; one at a time is asked for.
        rate: frames a second.

    Returns:
        the frames a second.

    Raises:
        ConvscopeError: ffmpeg is not there, or fails.
    """
    height, width = frames[0].shape[:2]
    each = Fraction(rate).limit_denominator(1000)
    times = -(-FEWEST // each)
    given = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {each * times} -i -"
    command = [program(), "-v", "error", "-y", *given.split(), "-vf", _FILTER, *_ENCODER.split()]
    with beside(path) as partial:
        said = _pipe([*command, str(partial)], frames, times)
        if said is not None:
            raise ConvscopeError(f"cannot write {path}: {command[0]} {said}; animate=[gif] does without")
    return float(each)


def _pipe(command: Sequence[str], frames: Sequence[np.ndarray], times: int) -> str | None:
    """Give each frame as often to a program; returns None, or of what it fails, in one line."""
    with tempfile.TemporaryFile() as errors:  # a pipe that nobody reads could fill
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors)  # noqa: S603
        except OSError as error:
            return f"cannot be run ({error.strerror})"
        assert process.stdin is not None
        try:
            for frame in frames:
                content = frame.tobytes()
                for _ in range(times):
                    process.stdin.write(content)
            process.stdin.close()
            process.wait()
        except BrokenPipeError:
            process.wait()  # it ended, and has said why
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode == 0:
            return None
        errors.seek(0)
        lines = errors.read().decode(errors="replace").splitlines() or [f"status {process.returncode}"]
        return f"failed ({lines[0][:200].strip()})"
