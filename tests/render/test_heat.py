import numpy as np
import pytest

from convscope import images
from convscope.render.heat import HeatScale
from convscope.render.heat_figure import FORMATS, HeatFigure
from convscope.render.levels import DIVERGING


def test_a_heatmap_is_transparent_where_it_is_zero_and_has_the_colour_of_its_maximum() -> None:
    pixels = np.full((2, 2, 3), 100, np.uint8)
    heat = np.array([[0, 0], [0, 4.0]])
    scale = HeatScale.of(heat, "inferno")
    assert scale.ends == (0, 4)
    alone, on_top = scale.paint(heat, pixels, alpha=0.5)
    assert (on_top[0] == 100).all()
    colors = images.color_table("inferno")
    np.testing.assert_array_equal(alone[0, 0], colors[0])
    np.testing.assert_array_equal(alone[1, 1], colors[255])
    assert (np.abs(on_top[1, 1].astype(int) - (100 + colors[255].astype(int)) / 2) <= 1).all()


def test_a_heatmap_with_a_sign_is_symmetric_around_a_transparent_zero() -> None:
    heat = np.array([[-2.0, 0.0, 1.0]])
    scale = HeatScale.of(heat, "inferno")
    assert scale == HeatScale(2.0, has_sign=True, color_map=DIVERGING)
    assert scale.ends == (-2, 2)
    alone, on_top = scale.paint(heat, np.full((1, 3, 3), 90, np.uint8), alpha=1)
    colors = images.color_table(DIVERGING)
    np.testing.assert_array_equal(alone[0], colors[[0, 128, 191]])
    np.testing.assert_array_equal(on_top[0, 0], colors[0])
    assert (on_top[0, 1] == 90).all()


def test_a_heatmap_of_zeros_leaves_the_photograph_as_it_is() -> None:
    pixels = np.full((3, 3, 3), 100, np.uint8)
    scale = HeatScale.of(np.zeros((3, 3)), "inferno")
    np.testing.assert_array_equal(scale.paint(np.zeros((3, 3)), pixels, alpha=1)[1], pixels)


@pytest.mark.parametrize("format", FORMATS)
def test_a_figure_has_the_same_bytes_twice_and_keeps_names_as_they_are(format: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    figure = HeatFigure(
        pixels, [("a_b$1$", pixels)], "predicted: x", "<p>.jpg", "inferno", (0, 2), "logit", "note"
    )
    first = figure.draw(format)
    assert first == figure.draw(format)
    assert first[:4] == {"png": b"\x89PNG", "svg": b"<?xm", "pdf": b"%PDF"}[format]
    if format == "svg":
        assert b"<p>.jpg" not in first  # escaped, and text is drawn as paths
    if format == "png":
        assert len(figure.draw("png", scale=2)) > len(first)
