import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from convscope.errors import ConvscopeError
from convscope.ffmpeg import program
from convscope.images import color_table
from convscope.render.animation import Frames
from convscope.render.video import gif_of_video, mp4

SIDE = 24  # pixels of a square of one colour


def squares(count: int = 5) -> np.ndarray:
    """Frames of 3 x 5 squares in colours of viridis, and a white edge that makes both sides odd."""
    levels = np.random.default_rng(0).integers(0, 256, (count, 3, 5))
    frames = color_table("viridis")[levels].repeat(SIDE, axis=1).repeat(SIDE, axis=2)
    return np.pad(frames, [(0, 0), (0, 1), (0, 1), (0, 0)], constant_values=255)


def read_back(path: Path) -> tuple[np.ndarray, float]:
    """What OpenCV reads: uint8 (frames, height, width, 3) in RGB, and frames a second."""
    video = cv2.VideoCapture(str(path))
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1][..., ::-1])
    return np.stack(frames), video.get(cv2.CAP_PROP_FPS)


def inside(frames: np.ndarray) -> np.ndarray:
    """The middle of each square, int (frames, 3, 5, 3): at their edges colours are shared by 2 x 2 pixels."""
    return frames[:, SIDE // 2 : 3 * SIDE : SIDE, SIDE // 2 : 5 * SIDE : SIDE].astype(int)


@pytest.mark.parametrize(("rate", "times"), [(0.5, 20), (2, 5), (3.3, 4), (10, 1), (50, 1)])
def test_a_video_keeps_frames_times_and_colours(tmp_path: Path, rate: float, times: int) -> None:
    frames = squares()
    assert mp4(tmp_path / "a.mp4", frames, rate) == pytest.approx(rate)
    found, shown = read_back(tmp_path / "a.mp4")
    assert shown == pytest.approx(rate * times)
    assert found.shape == (len(frames) * times, 3 * SIDE + 2, 5 * SIDE + 2, 3)  # even
    for again in range(times):
        assert np.abs(inside(found[again::times]) - inside(frames)).max() <= 12
    assert found[:, -1].min() >= 128  # white, next to squares of any colour


def test_a_video_is_h264_with_the_index_first(tmp_path: Path) -> None:
    mp4(tmp_path / "a.mp4", squares(), 2)
    told = subprocess.run([program(), "-i", tmp_path / "a.mp4"], capture_output=True, text=True, check=False)
    assert "Video: h264" in told.stderr
    assert "yuv420p(tv, bt709" in told.stderr
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_videos_are_deterministic(tmp_path: Path) -> None:
    for name in "ab":
        mp4(tmp_path / name, squares(), 2)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_frames_are_accessed_one_at_a_time(tmp_path: Path) -> None:
    asked = []

    def picture(index: int) -> np.ndarray:
        asked.append(index)
        return np.full((400, 400, 3), index, np.uint8)

    frames = Frames([(400, 400)] * 100, picture)
    tracemalloc.start()
    mp4(tmp_path / "a.mp4", frames, 20)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert asked == list(range(100))
    assert most < 10 * 400 * 400 * 3
    assert len(read_back(tmp_path / "a.mp4")[0]) == 100


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("head -c 1000 >/dev/null; echo 'Unknown encoder libx264' >&2; exit 1", "Unknown encoder libx264"),
        ("cat >/dev/null; exit 3", "status 3"),
        (None, "cannot be run"),
    ],
)
def test_an_error_of_ffmpeg_is_one_line_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, said: str
) -> None:
    path = tmp_path / "ffmpeg"
    if script:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(path))
    before = set(tmp_path.iterdir())
    with pytest.raises(ConvscopeError, match=said) as failure:
        mp4(tmp_path / "a.mp4", squares(), 2)
    assert len(str(failure.value).splitlines()) == 1
    assert set(tmp_path.iterdir()) == before


def test_an_interrupt_ends_ffmpeg_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)

    def picture(index: int) -> np.ndarray:
        if index == 3:
            raise KeyboardInterrupt
        return np.zeros((8, 8, 3), np.uint8)

    with pytest.raises(KeyboardInterrupt):
        mp4(tmp_path / "a.mp4", Frames([(8, 8)] * 5, picture), 2)
    assert not list(tmp_path.iterdir())
    assert started
    assert all(process.returncode is not None for process in started)  # ended and waited for


def test_the_gif_of_a_video_is_smaller_slower_and_shorter(tmp_path: Path) -> None:
    frames = (np.full((60, 90, 3), 5 * index, np.uint8) for index in range(50))
    mp4(tmp_path / "a.mp4", frames, 25)
    gif_of_video(tmp_path / "a.gif", tmp_path / "a.mp4", rate=5, longest=30, seconds=1.2)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.size == (30, 20)
        assert picture.n_frames == 6
        levels = []
        for index in range(6):
            picture.seek(index)
            assert picture.info["duration"] == 200
            levels.append(int(np.asarray(picture.convert("RGB"))[10, 10, 0]))
    assert np.abs(np.array(levels) - np.arange(0, 150, 25)).max() <= 15  # a frame may be the nearest one
    assert levels == sorted(levels)
