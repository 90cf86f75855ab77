"""Charts of names as people have them: no other picture, no failure, nothing on standard error."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convscope.images import load_png
from convscope.render import figure

EYE = np.eye(3)
LINES = [0.1, 0.5, 0.2]


def bars(path: Path, names: list[str]) -> None:
    figure.bars(path, np.array(LINES), names[0], names)


def confusion(path: Path, names: list[str]) -> None:
    figure.confusion_matrix(path, EYE.astype(int), names, names[0])


def curves(path: Path, names: list[str]) -> None:
    figure.class_curves(path, np.arange(3), EYE, names)


def differences(path: Path, names: list[str]) -> None:
    lines = {name: [value + place for value in LINES] for place, name in enumerate(names)}
    figure.differences_by_depth(path, names, {"correlation": lines})


def shares(path: Path, names: list[str]) -> None:
    figure.shares_by_depth(path, names, {"zeros": LINES})


def distributions(path: Path, names: list[str]) -> None:
    figure.distributions(path, names, [np.histogram(LINES)] * 3, LINES)


CHARTS = [bars, confusion, curves, differences, shares, distributions]


@pytest.mark.parametrize("draw", CHARTS)
@pytest.mark.parametrize("names", [["$^$", "$a$", "100$"], ["_a", "_b", "_nolegend_"]])
def test_any_name_is_written_as_it_is(
    tmp_path: Path, draw: Callable[[Path, list[str]], None], names: list[str]
) -> None:
    """Each letter matters: another name of the same length is another picture."""
    draw(tmp_path / "given.png", names)
    given = load_png(tmp_path / "given.png")
    for place in range(len(names)):
        other = [name[0] + "W" + name[2:] if at == place else name for at, name in enumerate(names)]
        draw(tmp_path / "other.png", other)
        drawn = load_png(tmp_path / "other.png")
        assert drawn.shape != given.shape or (drawn != given).any()


@pytest.mark.parametrize("draw", [differences, shares])
def test_long_layer_paths_leave_room_for_the_lines(
    tmp_path: Path, draw: Callable[[Path, list[str]], None]
) -> None:
    names = [
        f"functional_17/mobilenet_v2_block_{number}_expand_relu before activation" for number in range(3)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(tmp_path / "long.png", names)
    line = (load_png(tmp_path / "long.png") == (0xC2, 0x41, 0x0C)).all(axis=2).any(axis=1).nonzero()[0]
    assert np.ptp(line) > 30  # pixels from its lowest to its highest point
    draw(tmp_path / "others.png", [name.replace("0", "8") for name in names])
    assert (load_png(tmp_path / "others.png") != load_png(tmp_path / "long.png")).any()
