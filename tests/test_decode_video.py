"""Frames of videos that the tests write: number, order, rate, size, and errors of one line."""

import os
import subprocess
import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope import decode
from convscope.decode import DecodeError
from convscope.decode_video import open_video
from convscope.errors import ConvscopeError
from convscope.ffmpeg import program
from convscope.render.video import mp4


def grey_frames(count: int, height: int = 32, width: int = 48) -> np.ndarray:
    """Frames of one grey level each, from dark to bright, with a white half at the right."""
    frames = np.empty((count, height, width, 3), np.uint8)
    frames[:, :, : width // 2] = np.linspace(0, 200, count).round()[:, None, None, None]
    frames[:, :, width // 2 :] = 255
    return frames


def changed(source: Path, *arguments: str, before: tuple[str, ...] = (), to: str = "changed.mp4") -> Path:
    """Return a copy of a video, changed by ffmpeg."""
    target = source.with_name(to)
    subprocess.run([program(), "-v", "error", *before, "-i", source, *arguments, target], check=True)
    return target


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of twelve frames from dark to bright, 48×32 pixels, 30000/1001 per second."""
    mp4(tmp_path / "clip.mp4", grey_frames(12), Fraction(30000, 1001))
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize("count", [1, 2, 25])
def test_all_frames_are_read_in_their_order(tmp_path: Path, count: int) -> None:
    mp4(tmp_path / "a.mp4", grey_frames(count), Fraction(14441, 500))
    video = open_video(tmp_path / "a.mp4")
    assert (video.count, video.rate, video.size) == (count, Fraction(14441, 500), (32, 48))
    frames = np.stack(list(video.frames()))
    assert frames.shape == (count, 32, 48, 3)
    assert np.abs(frames[:, 16, 8].astype(int) - grey_frames(count)[:, 16, 8]).max() <= 6
    assert count == 1 or abs(int(video.middle()[16, 8, 0]) - 100) <= 6 + 200 / count


def test_rotated_frames_are_upright(clip: Path) -> None:
    video = open_video(changed(clip, "-c", "copy", before=("-display_rotation", "90")))
    assert video.size == (48, 32)
    last = list(video.frames())[-1]
    assert last.shape == (48, 32, 3)
    assert last[:20].min() > 240  # the right half is the upper half after a rotation to the left
    assert last[28:].max() < 220


def test_pixels_become_square(clip: Path) -> None:
    video = open_video(changed(clip, "-c", "copy", "-bsf:v", "h264_metadata=sample_aspect_ratio=2/1"))
    assert video.size == (32, 96)
    assert next(video.frames()).shape == (32, 96, 3)


def test_odd_sides_are_kept(clip: Path) -> None:
    video = open_video(changed(clip, "-vf", "format=yuv444p,crop=31:17"))
    assert video.size == (17, 31)
    assert [frame.shape for frame in video.frames()] == [(17, 31, 3)] * 12


def test_a_video_that_starts_late_has_no_additional_frames(clip: Path) -> None:
    video = open_video(changed(clip, "-c", "copy", "-output_ts_offset", "2"))
    assert video.count == len(list(video.frames())) == 12


def test_varying_distances_become_constant(clip: Path) -> None:
    """Frames 0 to 5 and every third one after them: the duration stays, and frames are repeated."""
    select = "select='lt(n,6)+not(mod(n,3))'"
    video = open_video(changed(clip, "-vf", select, "-fps_mode", "vfr", to="varying.mp4"))
    levels = [int(frame[16, 8, 0]) for frame in video.frames()]
    assert video.rate == Fraction(30000, 1001)
    assert len(levels) in (10, 11, 12)  # the duration of the last frame is not always known
    assert levels == sorted(levels)
    assert abs(levels[6] - levels[7]) <= 1 < levels[6] - levels[5]


def test_memory_does_not_depend_on_the_length(tmp_path: Path) -> None:
    peaks = []
    for count in (10, 100):
        mp4(tmp_path / "a.mp4", (np.full((200, 200, 3), index, np.uint8) for index in range(count)), 30)
        video = open_video(tmp_path / "a.mp4")
        tracemalloc.start()
        assert sum(1 for _ in video.frames()) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200 * 200 * 3


def test_ffmpeg_ends_when_the_frames_are_no_longer_needed(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen] = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    video = open_video(clip)
    monkeypatch.setattr(subprocess, "Popen", Recorded)
    frames = video.frames()
    next(frames)
    frames.close()
    assert [process.poll() is None for process in started] == [False]


@pytest.mark.parametrize("name", ["-i.mp4", "a%03d:b.mp4", "http:x.mp4", "concat:a|b.mp4", "a b'c.mp4"])
def test_a_name_is_no_option_and_no_address(clip: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip.parent)
    clip.rename(name)
    assert len(list(open_video(Path(name)).frames())) == 12


@pytest.mark.parametrize(
    "content",
    [
        "ffconcat version 1.0\nfile clip.mp4\n",
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n",
        "plain text\n" * 100,
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mpg"])
def test_a_playlist_opens_no_other_file(clip: Path, content: str, suffix: str) -> None:
    path = clip.with_name(f"list{suffix}")
    path.write_text(content)
    with pytest.raises(DecodeError, match=r"cannot read .*list\.\w+: (unsupported|damaged) \(") as failure:
        open_video(path)
    assert len(str(failure.value).splitlines()) == 1


def test_a_truncated_video_is_an_error_before_it_is_drawn(clip: Path) -> None:
    index_first = clip.read_bytes()
    index_last = changed(clip, "-c", "copy").read_bytes()
    for content, reason in (
        (index_first[:-60], "truncated"),
        (index_last[: len(index_last) // 4], "damaged"),
    ):
        clip.write_bytes(content)
        with pytest.raises(DecodeError, match=f"clip.mp4: {reason} ") as failure:
            open_video(clip)
        assert len(str(failure.value).splitlines()) == 1


def test_sound_and_photographs_are_no_videos(clip: Path) -> None:
    sound = ("-f", "lavfi", "-i", "sine=duration=0.1")
    subprocess.run([program(), "-v", "error", *sound, clip.with_name("sound.mp4")], check=True)
    with pytest.raises(DecodeError, match=r"sound.mp4: unsupported \(a file without pictures"):
        open_video(clip.with_name("sound.mp4"))
    photograph = changed(clip, "-frames:v", "1", to="photograph.png").rename(clip.with_name("p.mp4"))
    with pytest.raises(DecodeError, match=r"p.mp4: unsupported \(not the format of a video"):
        open_video(photograph)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "empty.mp4").touch()
    for name, reason in (("pipe", "not a regular file"), ("empty", "zero bytes"), ("none", "missing")):
        with pytest.raises(DecodeError, match=f"{name}.mp4: {reason}"):
            open_video(tmp_path / f"{name}.mp4")


def test_a_reader_of_photographs_names_the_view_for_videos(clip: Path) -> None:
    for path in (clip, clip.with_suffix(".png"), changed(clip, to="b.avi"), changed(clip, to="c.mkv")):
        path = clip.rename(path) if path.suffix == ".png" else path
        with pytest.raises(DecodeError, match=r": a video \(expected a photograph; views="):
            decode.load(path)


def test_a_large_video_is_no_decompression_bomb(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "LARGEST_FILE", 100)
    with pytest.raises(DecodeError, match="a video"):
        decode.load(clip)


def test_ffmpeg_is_needed(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(clip))
    with pytest.raises(ConvscopeError, match=r"cannot be run \(.*\): set IMAGEIO_FFMPEG_EXE") as failure:
        open_video(clip)
    assert len(str(failure.value).splitlines()) == 1
