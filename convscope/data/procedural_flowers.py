"""Five flowers, each drawn by a function of pixel coordinates.

A flower is drawn on `Coordinates`: in the frame of the flower its radius is 1, its centre is (0, 0) and its
stem points towards +y. Each function returns an `RgbaCanvas`, colour with coverage. The classes differ in
structure (number and overlap of the petals, the centre) and share their colours, so that no colour reveals
the class.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))

PETAL_COLORS = np.array(
    [
        [240, 240, 235],
        [245, 205, 50],
        [235, 120, 165],
        [205, 45, 50],
        [240, 140, 50],
        [150, 90, 190],
    ]
)
CENTER_COLORS = np.array([[235, 190, 50], [90, 55, 30], [130, 150, 60], [190, 120, 50]])
LEAF_COLORS = np.array([[60, 110, 50], [90, 130, 60], [45, 90, 60], [110, 140, 80]])


@dataclass(frozen=True)
class Coordinates:
    """Pixel coordinates in the frame of a flower.

    `x` and `y` are float32 (height, width) in flower radii; `pixel` is the size of a pixel in flower radii.
    """

    x: np.ndarray
    y: np.ndarray
    pixel: float

    @property
    def radius(self) -> np.ndarray:
        """Distance from the centre, float32 (height, width)."""
        return np.hypot(self.x, self.y)

    @property
    def angle(self) -> np.ndarray:
        """Angle from the x axis in radians, float32 (height, width)."""
        return np.arctan2(self.y, self.x)


class RgbaCanvas:
    """A canvas: `color`, float32 (height, width, 3), 0 to 255; `alpha`, float32 (height, width), 0 to 1."""

    def __init__(self, shape: tuple[int, int]):
        self.color = np.zeros((*shape, 3), np.float32)
        self.alpha = np.zeros(shape, np.float32)

    def paint(self, color: np.ndarray, alpha: np.ndarray, shade: np.ndarray | float = 1.0) -> None:
        """Blend `color` times `shade` over the canvas with opacity `alpha`."""
        rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
        if not rows.size:
            return
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        over = np.asarray(alpha[box], np.float32)
        lit = np.asarray(np.broadcast_to(shade, alpha.shape)[box], np.float32)
        for channel in range(3):
            beneath = self.color[(*box, channel)]
            beneath += over * (lit * np.float32(color[channel]) - beneath)
        self.alpha[box] += over * (1 - self.alpha[box])


def edge(distance: np.ndarray, pixel: float) -> np.ndarray:
    """Return the coverage of a shape from the signed distance to its edge (positive inside), antialiased."""
    return np.clip(distance / pixel + 0.5, 0, 1).astype(np.float32)


def vary(rng: np.random.Generator, palette: np.ndarray, spread: float = 22.0) -> np.ndarray:
    """Return a colour of the palette with random noise, float32 (3,), 0 to 255."""
    color = palette[rng.integers(len(palette))] + rng.normal(0, spread, 3)
    return np.clip(color, 12, 250).astype(np.float32)


def _petal_ring(
    canvas: RgbaCanvas,
    field: Coordinates,
    rng: np.random.Generator,
    *,
    count: int,
    inner: float,
    pointed: bool,
    color: np.ndarray,
    shade: float,
) -> None:
    """Paint one ring of `count` separate petals from radius `inner` to about 1."""
    step = 2 * np.pi / count
    phase = rng.uniform(0, step)
    lengths = rng.uniform(0.84, 1.0, count)
    bends = rng.normal(0, 0.10 * step, count)
    radius = field.radius
    index = np.round((field.angle - phase) / step).astype(int)
    offset = field.angle - phase - index * step - bends[index % count]
    along = (radius - inner) / (lengths[index % count] - inner)
    inside = np.clip(along, 0, 1)
    if pointed:
        profile = np.sin(np.pi * inside**0.75) ** 0.8 * (1 - 0.35 * inside)
        width = 0.62 * step
    else:
        profile = np.sqrt(inside) * np.sqrt(1 - inside**7)
        width = 0.34 * step
    across = np.abs(np.sin(offset)) * radius
    distance = np.where((along > 0) & (along < 1), width * profile - across, -1)
    ribs = 1 - 0.16 * np.exp(-((across / (0.16 * width)) ** 2))
    canvas.paint(color, edge(distance, field.pixel), shade * (0.72 + 0.28 * inside) * ribs)


def _disc(
    canvas: RgbaCanvas, field: Coordinates, radius: float, color: np.ndarray, shade: np.ndarray
) -> None:
    """Paint the domed centre of a flower."""
    r = field.radius
    dome = np.sqrt(np.clip(1.15 - (r / radius) ** 2, 0, None))
    canvas.paint(color, edge(radius - r, field.pixel), (0.45 + 0.6 * dome) * shade)


def daisy(field: Coordinates, rng: np.random.Generator) -> RgbaCanvas:
    """Draw 12 to 20 narrow, separate, round-tipped petals around a small, plain dome."""
    canvas = RgbaCanvas(field.x.shape)
    color = vary(rng, PETAL_COLORS)
    count = int(rng.integers(12, 21))
    if rng.random() < 0.5:
        _petal_ring(canvas, field, rng, count=count, inner=0.1, pointed=False, color=color, shade=0.75)
    _petal_ring(canvas, field, rng, count=count, inner=0.1, pointed=False, color=color, shade=1.0)
    grain = 1 + 0.12 * np.sin(field.x * 61 + 3 * np.sin(field.y * 17)) * np.sin(field.y * 67)
    _disc(canvas, field, rng.uniform(0.2, 0.3), vary(rng, CENTER_COLORS), grain)
    return canvas


def sunflower(field: Coordinates, rng: np.random.Generator) -> RgbaCanvas:
    """Draw two rings of short, pointed petals around a wide disc of seeds on crossing spirals."""
    canvas = RgbaCanvas(field.x.shape)
    color = vary(rng, PETAL_COLORS)
    count, disc = int(rng.integers(16, 25)), rng.uniform(0.46, 0.6)
    for shade in (0.72, 1.0):
        _petal_ring(
            canvas,
            field,
            rng,
            count=count,
            inner=disc - 0.18,
            pointed=True,
            color=color,
            shade=shade,
        )
    turn = 9.0 * np.sqrt(field.radius / disc)
    seeds = np.cos(13 * field.angle + 3.2 * turn) + np.cos(21 * field.angle - 3.2 * turn)
    ring = 1 - 0.35 * (np.abs(field.radius - 0.55 * disc) < 0.12 * disc)
    _disc(canvas, field, disc, vary(rng, CENTER_COLORS), (0.78 + 0.3 * seeds) * ring)
    return canvas


def dandelion(field: Coordinates, rng: np.random.Generator) -> RgbaCanvas:
    """Draw a translucent globe of seeds: thin spokes from a small core, each ending in a star of hairs."""
    canvas = RgbaCanvas(field.x.shape)
    color = vary(rng, PETAL_COLORS)
    core = rng.uniform(0.08, 0.14)
    radius, angle = field.radius, field.angle
    canvas.paint(color, 0.22 * edge(0.97 - radius, 0.2), 0.9)
    seeds = int(rng.integers(55, 85))
    k = np.arange(seeds) + 0.5
    height = 1 - 2 * k / seeds
    rim = 0.95 * np.sqrt(1 - height**2) * rng.uniform(0.9, 1.03, seeds)
    turn = k * GOLDEN_ANGLE + rng.uniform(0, 2 * np.pi)
    hairs = np.zeros_like(radius)
    for ray, length in zip(turn, rim, strict=True):
        x, y = field.x - length * np.cos(ray), field.y - length * np.sin(ray)
        near = (np.abs(x) < 0.2) & (np.abs(y) < 0.2)
        x, y = x[near], y[near]
        r, a = np.hypot(x, y), np.arctan2(y, x)
        spikes = np.cos(3.5 * (a - ray)) ** 8
        star = spikes * np.clip(1 - r / 0.19, 0, 1) + np.exp(-((r / 0.035) ** 2))
        hairs[near] = np.maximum(hairs[near], np.clip(star, 0, 1))
    spokes = seeds // 2
    step = 2 * np.pi / spokes
    offset = (angle - turn[0] + step / 2) % step - step / 2
    thread = np.exp(-((offset * radius / (1.2 * field.pixel + 0.006)) ** 2))
    canvas.paint(color, 0.6 * thread * edge(0.9 - radius, field.pixel), 0.95)
    canvas.paint(color, 0.85 * hairs.astype(np.float32), 1.1)
    _disc(canvas, field, core, vary(rng, CENTER_COLORS), np.ones_like(radius))
    return canvas


def rose(field: Coordinates, rng: np.random.Generator) -> RgbaCanvas:
    """Draw whorls of broad, overlapping petals with a bright rim, wound into a spiral."""
    canvas = RgbaCanvas(field.x.shape)
    color = vary(rng, PETAL_COLORS)
    turn = rng.uniform(0, 2 * np.pi)
    for whorl, size in enumerate((1.0, 0.82, 0.64, 0.47, 0.32)):
        petals = int(rng.integers(5, 7)) - whorl // 2
        for k in rng.permutation(petals):
            ray = turn + 2 * np.pi * k / petals + rng.normal(0, 0.12)
            reach, broad = 0.48 * size, size * rng.uniform(0.46, 0.54)
            x, y = field.x - reach * np.cos(ray), field.y - reach * np.sin(ray)
            along = x * np.cos(ray) + y * np.sin(ray)
            across = y * np.cos(ray) - x * np.sin(ray)
            inside = broad - np.hypot(along, across / 1.25)
            rim = np.exp(-((inside / (0.16 * broad)) ** 2))
            hollow = 0.78 - 0.4 * np.clip(0.2 - along / broad, 0, 1)
            canvas.paint(color, edge(inside, field.pixel), (hollow + 0.38 * rim) * (1.02 - 0.06 * whorl))
        turn += 0.6
    r = field.radius
    spiral = np.cos(field.angle * rng.choice([-1, 1]) + 44 * r + turn)
    canvas.paint(color, edge(0.24 - r, 0.05), 0.62 + 0.3 * spiral)
    return canvas


def tulip(field: Coordinates, rng: np.random.Generator) -> RgbaCanvas:
    """Draw a cup from the side: overlapping, pointed petals, a thick stem, blade-like leaves."""
    canvas = RgbaCanvas(field.x.shape)
    color = vary(rng, PETAL_COLORS)
    green = vary(rng, LEAF_COLORS, 12)
    x, y, pixel = field.x, field.y, field.pixel
    bend = 0.12 * rng.normal() * np.clip(y - 0.6, 0, None) ** 2
    canvas.paint(green, edge(0.09 - np.abs(x - bend), pixel) * (y > 0.5), 0.9 - 2 * (x - bend))
    for side in rng.choice([-1, 1], size=2, replace=False)[: rng.integers(1, 3)]:
        up = np.clip((2.6 - y) / rng.uniform(1.7, 2.3), 0, 1)
        middle = bend + side * (0.05 + 0.75 * up**1.6)
        half = 0.24 * np.sin(np.pi * up**0.7)
        canvas.paint(
            green,
            edge(np.where(half > 1e-6, half - np.abs(x - middle), -1), pixel),
            0.75 + 0.8 * np.abs(x - middle),
        )
    up = (0.8 - y) / 1.7  # 0 at the bottom of the cup, 1 at the tips
    rise = np.clip(up, 0, 1)
    openness = rng.uniform(0.0, 0.22)
    back = [(-0.26, 0.78), (0.26, 0.78)]
    front = [(-0.46, 0.95), (0.46, 0.95), (0.0, 1.06)]
    for shift, shade in back + front:
        tip = rng.uniform(0.9, 1.0)
        middle = shift * (0.75 + openness * 2.2 * rise)
        profile = np.clip(rise / tip, 0, 1)
        half = 0.46 * np.clip(np.sin(np.pi * profile**0.62), 0, None) ** 0.75
        inside = np.where((up > 0) & (up < tip), half - np.abs(x - middle), -1)
        veins = 1 - 0.14 * np.exp(-(((x - middle) / 0.05) ** 2))
        rim = 0.2 * np.exp(-((inside / 0.06) ** 2))
        canvas.paint(color, edge(inside, pixel), (shade * (0.68 + 0.3 * rise) + rim) * veins)
    return canvas


FLOWERS: dict[str, Callable[[Coordinates, np.random.Generator], RgbaCanvas]] = {
    "daisy": daisy,
    "dandelion": dandelion,
    "rose": rose,
    "sunflower": sunflower,
    "tulip": tulip,
}
