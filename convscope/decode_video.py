"""Decoding of videos: from a file to upright 8-bit RGB frames at a constant rate, or to an error."""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from convscope import ffmpeg
from convscope.decode import VIDEO_SUFFIXES, DecodeError, Reason, opened

# Containers of videos. Playlists and scripts could open other files, and text files resemble videos.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf,m4v,h264,hevc,ivf,dv,mxf,nut"
)
_PICTURES = "0:V:0"  # the first picture stream that is not the cover of a music album
_UPRIGHT = "setpts=PTS-STARTPTS,scale=iw*sar:ih,setsar=1"  # square pixels; ffmpeg applies rotations first
_TRUNCATED = re.compile(r"partial file|prematurely|truncat", re.IGNORECASE)
_FASTER = 2  # by how much the rate of the shortest distance of two frames may exceed the mean rate


@dataclass(frozen=True)
class Video:
    """A video file.

    Attributes:
        path: the file.
        size: height and width in pixels as displayed: upright, with square pixels.
        rate: frames per second.
        count: the number of frames; an estimate if the distances of the frames vary.
        seconds: the duration, up to a few frames.
    """

    path: Path
    size: tuple[int, int]
    rate: Fraction
    count: int
    seconds: float

    def frames(self) -> Generator[np.ndarray, None, None]:
        """Yield all frames at a constant rate, uint8 (height, width, 3), read-only; only one is in memory.

        If the distances of the frames vary, frames are repeated or left out.

        Raises:
            DecodeError: no frame can be decoded, or ffmpeg ends with an error.
        """
        yield from self._frames([], [])

    def middle(self) -> np.ndarray:
        """Return the frame in the middle, uint8 (height, width, 3), read-only."""
        for before in (["-ss", f"{self.seconds / 2:.3f}"], []):
            for frame in self._frames(before, ["-frames:v", "1"]):
                return frame
        raise AssertionError("unreachable")

    def _frames(self, before: Sequence[str], after: Sequence[str]) -> Generator[np.ndarray, None, None]:
        height, width = self.size
        rate = ["-r", str(self.rate), "-fps_mode", "cfr"]
        output = ["-vf", f"{_UPRIGHT},scale={width}:{height}", *rate, "-pix_fmt", "rgb24", "-f", "rawvideo"]
        with ffmpeg.running(
            [*before, *_input(self.path), "-map", _PICTURES, *after, *output, "-"]
        ) as process:
            number = 0
            while len(content := process.output.read(height * width * 3)) == height * width * 3:
                number += 1
                yield np.frombuffer(content, np.uint8).reshape(height, width, 3)
            if not before and (process.end() or not number):
                raise _error(self.path, process.messages)


def is_video(path: Path) -> bool:
    """Return whether the name of a file is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def open_video(path: Path) -> Video:
    """Read size, rate and number of frames of a video; the whole file is read, the first frame is decoded.

    Raises:
        DecodeError: the file is missing, empty, truncated or damaged, or has no pictures.
    """
    with opened(path, "a video") as file:
        if not file.read(1):
            raise DecodeError(path, Reason.zero_bytes, "the file is empty")
    size, shortest = _header(path)
    count, seconds = _length(path)
    mean = Fraction(count / seconds).limit_denominator(1000) if seconds else shortest
    rate = shortest if shortest <= _FASTER * mean else mean
    return Video(path, size, rate, max(count, round(seconds * rate)), seconds)


def _input(path: Path) -> list[str]:
    """Return the arguments for reading a file that cannot make ffmpeg open another file or address."""
    limits = ["-protocol_whitelist", "file", "-format_whitelist", _FORMATS]
    pixels = ["-max_pixels", str(Image.MAX_IMAGE_PIXELS or 1 << 30)]
    return ["-nostdin", *limits, *pixels, "-i", f"file:{path.absolute()}"]


def _header(path: Path) -> tuple[tuple[int, int], Fraction]:
    """Decode the first frame; return height and width, and one over the shortest distance of two frames."""
    output = ["-map", _PICTURES, "-vf", _UPRIGHT, "-frames:v", "1", "-strict", "-1", "-pix_fmt", "yuv444p"]
    with ffmpeg.running([*_input(path), *output, "-f", "yuv4mpegpipe", "-"]) as process:
        header = process.output.readline(1000).decode(errors="replace")  # "YUV4MPEG2 W608 H1080 F30:1 …"
        found = re.match(r"YUV4MPEG2 W(\d+) H(\d+) F([1-9]\d*):([1-9]\d*)", header)
        if not found or not process.output.read(1):
            process.end()
            raise _error(path, process.messages)
    width, height, numerator, denominator = map(int, found.groups())
    if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
        raise DecodeError(
            path, Reason.bomb, f"{width}×{height} pixels; expected at most {Image.MAX_IMAGE_PIXELS:,}"
        )
    return (height, width), Fraction(numerator, denominator)


def _length(path: Path) -> tuple[int, float]:
    """Return the number of frames and the time of the last one in seconds, without decoding them."""
    arguments = [*_input(path), "-map", _PICTURES, "-c", "copy", "-f", "null", "-progress", "pipe:1", "-"]
    with ffmpeg.running(arguments) as process:
        values = dict(line.strip().split("=", 1) for line in process.output.read().decode().splitlines())
        process.end()
        truncated = [message for message in process.messages if _TRUNCATED.search(message)]
    if truncated:
        raise DecodeError(path, Reason.truncated, truncated[0])
    microseconds = values.get("out_time_us", "")
    return max(1, int(values.get("frame", 0))), int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0


def _error(path: Path, messages: Sequence[str]) -> DecodeError:
    """Return the error for a file without a frame that can be decoded."""
    expected = "expected MP4, MOV, WebM, MKV, AVI or another video"
    if any("matches no streams" in message for message in messages):
        return DecodeError(path, Reason.unsupported, f"a file without pictures; {expected}")
    if any("not on whitelist" in message for message in messages):
        return DecodeError(path, Reason.unsupported, f"not the format of a video; {expected}")
    return DecodeError(path, Reason.damaged, messages[0] if messages else "no frame can be decoded")
