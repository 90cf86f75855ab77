from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convscope.images import fit_within
from convscope.render.animation import Frames, gif


def read_back(path: Path) -> tuple[np.ndarray, list[int]]:
    """What Pillow reads: uint8 (frames, height, width, 3), and milliseconds a frame."""
    with Image.open(path) as image:
        pictures, times = [], []
        for index in range(image.n_frames):
            image.seek(index)
            pictures.append(np.asarray(image.convert("RGB")))
            times.append(image.info["duration"])
        assert image.info["loop"] == 0
    return np.stack(pictures), times


@pytest.mark.parametrize(("rate", "milliseconds"), [(2, 500), (0.5, 2000), (3, 330), (1000, 20)])
def test_a_gif_keeps_up_to_256_colors(tmp_path: Path, rate: float, milliseconds: int) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)
    frames = colors[np.random.default_rng(1).integers(0, 256, (5, 20, 30))]
    gif(tmp_path / "a.gif", frames, rate)
    found, times = read_back(tmp_path / "a.gif")
    np.testing.assert_array_equal(found, frames)
    assert times == [milliseconds] * 5


def test_many_colors_share_one_palette_and_the_bytes_are_deterministic(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 64)
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    frames[..., 0], frames[..., 1] = ramp, ramp[:, None]
    frames[..., 2] = np.array([0, 1, 2])[:, None, None]
    for name in "ab":
        gif(tmp_path / name, frames, 2)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found, _ = read_back(tmp_path / "a")
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= 256
    assert np.abs(found.astype(int) - frames).max() <= 24  # 4,096 colours in a plane: 16 a side, 16 levels


def test_equal_frames_are_merged(tmp_path: Path) -> None:
    frames = np.zeros((3, 4, 5, 3), np.uint8)
    frames[2] = 200
    gif(tmp_path / "a.gif", frames, 2)
    found, times = read_back(tmp_path / "a.gif")
    assert times == [1000, 500]
    np.testing.assert_array_equal(found, frames[[0, 2]])


def test_many_frames_keep_similar_colours(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    frames = np.stack(
        [np.stack([np.roll(ramp, shift)] * 3, axis=-1)[None].repeat(4, 0) for shift in range(40)]
    )
    gif(tmp_path / "many.gif", frames, 10)
    with Image.open(tmp_path / "many.gif") as image:
        assert image.n_frames == 40
        for index in (0, 17, 39):
            image.seek(index)
            shown = np.asarray(image.convert("RGB")).astype(int)
            assert np.abs(shown - frames[index]).max() <= 8


def test_pictures_of_several_sizes_become_frames_of_one_size() -> None:
    pictures = [np.full((*size, 3), 7, np.uint8) for size in ((10, 20), (1800, 900), (950, 901))]
    frames = Frames([each.shape[:2] for each in pictures], pictures.__getitem__)
    assert np.stack(frames).shape == (3, 900, 854, 3)
    for frame, picture in zip(frames, pictures, strict=True):
        height, width = fit_within(picture, 900).shape[:2]
        assert (frame[:height, :width] == 7).all()
        assert (frame == 255).sum() == frame.size - height * width * 3


def test_lazy_frames_give_the_same_gif_as_an_array(tmp_path: Path) -> None:
    frames = Frames([(100, 100)] * 20, lambda index: np.full((100, 100, 3), index * 12, np.uint8))
    gif(tmp_path / "a.gif", frames, 20)
    gif(tmp_path / "b.gif", np.stack(frames), 20)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
