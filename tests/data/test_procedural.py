import filecmp
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import RidgeClassifier
from threadpoolctl import threadpool_limits

from convscope.data.procedural import draw
from convscope.data.procedural_files import generate
from convscope.data.procedural_flowers import FLOWERS


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    settings = {"images_per_class": 3, "image_size": 48, "difficulty": 0.45}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(tmp_path / name, **settings, seed=seed)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.png"))
    assert len(files) == 30
    same, different, errors = filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", files, shallow=False)
    assert (len(same), different, errors) == (30, [], [])
    _, different, _ = filecmp.cmpfiles(tmp_path / "a", tmp_path / "c", files, shallow=False)
    assert len(different) == 30


@pytest.mark.parametrize("flower", FLOWERS)
def test_the_mask_covers_the_flower(flower: str) -> None:
    """The masks cover a plausible share of the picture and are near its centre."""
    pixels, mask = [], []
    for index in range(6):
        picture = draw(flower, 96, (7, index), difficulty=0.2)
        assert picture.pixels.shape == (96, 96, 3)
        assert set(np.unique(picture.mask)) == {0, 255}
        pixels.append(picture.pixels)
        mask.append(picture.mask > 0)
    share = np.mean(mask)
    assert 0.1 < share < 0.75
    centers = [np.argwhere(each).mean(axis=0) for each in mask]
    assert np.abs(np.array(centers) - 48).max() < 30


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """600 pictures of 64 pixels and their classes, in mixed order."""
    labels = np.arange(600) % len(FLOWERS)
    names = list(FLOWERS)
    drawn = [draw(names[label], 64, (0, index)).pixels for index, label in enumerate(labels)]
    return np.stack(drawn), labels


def test_a_linear_model_on_pixels_stays_below_60_percent(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, labels = pictures
    flat = pixels.reshape(len(pixels), -1) / 255 - 0.5
    model = RidgeClassifier(alpha=1e3).fit(flat[:450], labels[:450])
    assert 0.2 < model.score(flat[450:], labels[450:]) < 0.6


def test_boosted_trees_on_colors_stay_below_60_percent(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, labels = pictures
    edges = [np.arange(0, 257, 64)] * 3
    colors = np.stack([np.histogramdd(each.reshape(-1, 3), edges)[0].ravel() for each in pixels])
    with threadpool_limits(1):  # its OpenMP threads wait for each other on busy cores
        model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(colors[:450], labels[:450])
    assert 0.2 < model.score(colors[450:], labels[450:]) < 0.6
