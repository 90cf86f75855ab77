"""Pictures of five flowers, drawn by code, each with a mask of its flower.

Pose, scale, light, background, blur and noise are random. The same seed gives the same bytes.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from convscope.data.procedural_flowers import (
    FLOWERS,
    LEAF_COLORS,
    PETAL_COLORS,
    Coordinates,
    RgbaCanvas,
    edge,
    vary,
)

SUPERSAMPLING = 2  # each pixel is the mean of 2 x 2 drawn pixels


@dataclass(frozen=True)
class DrawnImage:
    """One drawn picture: `pixels` uint8 (size, size, 3); `mask` uint8 (size, size), 255 on the flower."""

    pixels: np.ndarray
    mask: np.ndarray


def draw(flower: str, size: int, seed: tuple[int, ...], difficulty: float = 0.42) -> DrawnImage:
    """Draw one picture of `flower` (a key of `FLOWERS`), `size` pixels wide and high.

    The same seed gives the same pixels. A larger `difficulty`, 0 to 1, gives flowers that are smaller, off
    centre, tilted, pale, blurred and noisy, with more clutter behind them.
    """
    rng = np.random.default_rng(seed)
    picture, mask = with_flower(scene(size, rng, difficulty), flower, rng, difficulty)
    return photograph(picture, mask, rng, difficulty)


def with_flower(
    scene: np.ndarray, flower: str, rng: np.random.Generator, difficulty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a flower with its stem on a scene; return the scene and the mask of the flower, 0 to 1."""
    side = len(scene)
    canvas, pose = draw_flower(flower, side, rng, difficulty)
    scene = compose(compose(scene, draw_stem(pose, side, rng)), canvas)
    mask = canvas.alpha
    if rng.random() < 0.8 * difficulty:  # a blade of grass covers a part of the flower
        front = RgbaCanvas((side, side))
        _paint_blade(front, rng)
        scene, mask = compose(scene, front), mask * (1 - front.alpha)
    return scene, mask


def scene(size: int, rng: np.random.Generator, difficulty: float) -> np.ndarray:
    """Draw what is behind the flower, float32 (side, side, 3), with `side` = `SUPERSAMPLING` * `size`."""
    return _background(size, rng, difficulty).repeat(SUPERSAMPLING, 0).repeat(SUPERSAMPLING, 1)


def photograph(
    scene: np.ndarray, mask: np.ndarray, rng: np.random.Generator, difficulty: float
) -> DrawnImage:
    """Return a drawn scene with light, blur and noise, at its final size.

    `scene` is float (side, side, 3), 0 to 255, and `mask` float (side, side), 0 to 1.
    """
    pixels = _shrink(_light(scene, rng, difficulty))
    pixels = ndimage.gaussian_filter(pixels, (blur := rng.uniform(0, 1.5 * difficulty), blur, 0))
    noise = rng.uniform(1, 2 + 20 * difficulty)
    pixels = pixels + rng.normal(0, noise, pixels.shape)
    covered = (_shrink(mask) > 0.25) * np.uint8(255)
    return DrawnImage(np.clip(np.round(pixels), 0, 255).astype(np.uint8), covered)


def _shrink(picture: np.ndarray) -> np.ndarray:
    """Return the mean of every block of SUPERSAMPLING x SUPERSAMPLING pixels."""
    side = picture.shape[0] // SUPERSAMPLING
    blocks = picture.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING, *picture.shape[2:])
    return blocks.mean(axis=(1, 3))


def compose(scene: np.ndarray, canvas: RgbaCanvas) -> np.ndarray:
    """Return a scene, float (side, side, 3), with a canvas on top."""
    return scene + canvas.alpha[..., None] * (canvas.color - scene)


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates x, y of every pixel, float32 (side, side), -1 to 1 across the picture."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1
    return np.broadcast_to(axis, (side, side)), np.broadcast_to(axis[:, None], (side, side))


def _background(side: int, rng: np.random.Generator, difficulty: float) -> np.ndarray:
    """Draw a cloudy gradient of two colours with blurred blobs, leaves and blades of grass."""
    x, y = grid(side)
    tilt = rng.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + 0.5 * (x * np.cos(tilt) + y * np.sin(tilt)), 0, 1)[..., None]
    hues = rng.uniform(15, 225, (2, 3)) * 0.7 + LEAF_COLORS[rng.integers(len(LEAF_COLORS), size=2)] * 0.3
    scene = hues[0] * (1 - ramp) + hues[1] * ramp
    clouds = ndimage.zoom(rng.normal(0, 26, (9, 9)), side / 9, order=1, grid_mode=True, mode="nearest")
    scene = (scene + clouds[..., None]).astype(np.float32)
    canvas = RgbaCanvas((side, side))
    # The blobs have the colours of petals, so that no colour reveals the class.
    for _ in range(rng.integers(2, 4 + round(8 * difficulty))):
        cx, cy, r = *rng.uniform(-1, 1, 2), rng.uniform(0.08, 0.35)
        distance = r - np.hypot(x - cx, (y - cy) * rng.uniform(0.7, 1.4))
        palette = PETAL_COLORS if rng.random() < 0.6 else LEAF_COLORS
        canvas.paint(vary(rng, palette), edge(distance, 0.08) * np.float32(0.85), rng.uniform(0.6, 1))
    for _ in range(rng.integers(1, 3 + round(6 * difficulty))):
        _paint_blade(canvas, rng)
    scene = compose(scene, canvas)
    blur = rng.uniform(0.25, 2.5)
    return ndimage.gaussian_filter(scene, (blur, blur, 0))


def _paint_blade(canvas: RgbaCanvas, rng: np.random.Generator) -> None:
    """Paint a bent leaf or blade of grass across the picture."""
    side = canvas.alpha.shape[0]
    x, y = grid(side)
    turn = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(turn) + y * np.sin(turn) - rng.uniform(-1.2, 0.4)
    across = y * np.cos(turn) - x * np.sin(turn) - rng.uniform(-0.9, 0.9)
    across = across - rng.normal(0, 0.3) * along**2
    length, width = rng.uniform(0.5, 1.6), rng.uniform(0.02, 0.1)
    inside = np.clip(along / length, 0, 1)
    half = width * np.sin(np.pi * inside**0.6)
    across = np.abs(across)
    canvas.paint(
        vary(rng, LEAF_COLORS), edge(np.where(half > 1e-6, half - across, -1), 2 / side), 0.8 + 3 * across
    )


def draw_flower(
    flower: str, side: int, rng: np.random.Generator, difficulty: float, *, half: int = 0
) -> tuple[RgbaCanvas, tuple[float, float, float]]:
    """Draw the flower; return it with (centre x, centre y, direction of its stem).

    With `half`, -1 or 1, it is half as large, in the left or the right half of the picture.
    """
    x, y = grid(side)
    radius = rng.uniform(0.72 - 0.5 * difficulty, 0.82)
    cx, cy = rng.uniform(-0.7, 0.7, 2) * difficulty
    if half:
        radius, cx = 0.55 * radius, 0.5 * half + 0.2 * cx
    lean = rng.normal(0, 0.35) if flower == "tulip" else rng.uniform(-0.6, 0.6)
    dx, dy = (x - cx) / radius, (y - cy) / radius
    dx, dy = dx * np.cos(lean) + dy * np.sin(lean), dy * np.cos(lean) - dx * np.sin(lean)
    if flower != "tulip":  # the other flowers are seen from above, more or less tilted
        slant = rng.uniform(0, np.pi)
        squeeze = 1 / rng.uniform(1 - 0.6 * difficulty, 1.0)
        u = dx * np.cos(slant) + dy * np.sin(slant)
        v = (dy * np.cos(slant) - dx * np.sin(slant)) * squeeze
        dx, dy = u * np.cos(slant) - v * np.sin(slant), u * np.sin(slant) + v * np.cos(slant)
    field = Coordinates(dx.astype(np.float32), dy.astype(np.float32), 2 / side / radius)
    return FLOWERS[flower](field, rng), (cx, cy, lean)


def draw_stem(pose: tuple[float, float, float], side: int, rng: np.random.Generator) -> RgbaCanvas:
    """Draw a thin, bent stem from the centre of the flower downwards."""
    cx, cy, lean = pose
    x, y = grid(side)
    dx, dy = x - cx, y - cy
    dx, dy = dx * np.cos(lean) + dy * np.sin(lean), dy * np.cos(lean) - dx * np.sin(lean)
    dx = dx - rng.normal(0, 0.15) * dy**2
    canvas = RgbaCanvas((side, side))
    inside = np.where(dy > 0, rng.uniform(0.02, 0.05) - np.abs(dx), -1)
    canvas.paint(vary(rng, LEAF_COLORS), edge(inside, 2 / side), 0.9 + 3 * dx)
    return canvas


def _light(scene: np.ndarray, rng: np.random.Generator, difficulty: float) -> np.ndarray:
    """Apply a gradient of light, a tint and a contrast."""
    x, y = grid(scene.shape[0])
    turn = rng.uniform(0, 2 * np.pi)
    ramp = 1 + rng.uniform(0, 0.35) * (x * np.cos(turn) + y * np.sin(turn))
    tint = rng.normal(1, 0.07, 3)
    contrast, brightness = rng.uniform(1 - 0.6 * difficulty, 1.15), rng.normal(0, 14)
    return (scene * ramp[..., None] * tint - 128) * contrast + 128 + brightness
