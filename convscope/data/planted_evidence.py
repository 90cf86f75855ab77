"""Procedural pictures whose class depends on one known part: the evidence, which is their mask.

They test methods that explain a network: a network that was trained on them can only use the evidence.
"""

from collections.abc import Sequence

import numpy as np

from convscope.data import procedural
from convscope.data.procedural import DrawnImage
from convscope.data.procedural_flowers import FLOWERS, RgbaCanvas, edge

TWO_FLOWERS, WATERMARK = "two_flowers", "watermark"
CLASSES = {TWO_FLOWERS: ("daisy", "rose", "tulip"), WATERMARK: tuple(FLOWERS)}  # unless others are chosen
STAMP = 0.22  # half of the side of a watermark; a picture is 2 wide


def draw_planted(
    evidence: str,
    label: str,
    classes: Sequence[str],
    *,
    size: int,
    seed: tuple[int, ...],
    difficulty: float = 0.42,
    removed: bool = False,
) -> DrawnImage:
    """Draw one picture of a class.

    Args:
        evidence: "two_flowers": the picture has a flower of the class and a flower of another kind, which is
            not one of `classes`, left and right in random order. "watermark": the picture has any flower,
            and a stamp whose sign depends on the class.
        label: the class, one of `classes`.
        classes: names of flowers; for two flowers, not all flowers.
        size: width and height in pixels.
        seed: the same seed gives the same pixels.
        difficulty: see `procedural.draw`.
        removed: leave the evidence out, with its stem; nothing else changes, so that the pictures of all
            classes with one seed are equal. The mask shows where the evidence would be.
    """
    rng = np.random.default_rng(seed)
    scene = procedural.scene(size, rng, difficulty)
    paint = _paint_two_flowers if evidence == TWO_FLOWERS else _paint_watermark
    scene, mask = paint(scene, label, classes, rng=rng, difficulty=difficulty, removed=removed)
    return procedural.photograph(scene, mask, rng, difficulty)


def _paint_two_flowers(
    scene: np.ndarray,
    label: str,
    classes: Sequence[str],
    *,
    rng: np.random.Generator,
    difficulty: float,
    removed: bool,
) -> tuple[np.ndarray, np.ndarray]:
    side = len(scene)
    generators = (rng, rng.spawn(1)[0])  # so that the class does not change the draws after it
    half = int(rng.choice([-1, 1]))
    other = str(rng.choice([flower for flower in FLOWERS if flower not in classes]))
    mask = np.zeros((side, side), np.float32)
    for flower, at, generator in zip((other, label), (-half, half), generators, strict=True):
        canvas, pose = procedural.draw_flower(flower, side, generator, difficulty, half=at)
        stem = procedural.draw_stem(pose, side, generator)
        if flower == label:
            mask = canvas.alpha
        if flower == other or not removed:
            scene = procedural.compose(procedural.compose(scene, stem), canvas)
    return scene, mask


def _paint_watermark(
    scene: np.ndarray,
    label: str,
    classes: Sequence[str],
    *,
    rng: np.random.Generator,
    difficulty: float,
    removed: bool,
) -> tuple[np.ndarray, np.ndarray]:
    side = len(scene)
    canvas, pose = procedural.draw_flower(str(rng.choice(list(FLOWERS))), side, rng, difficulty)
    scene = procedural.compose(procedural.compose(scene, procedural.draw_stem(pose, side, rng)), canvas)
    stamp = RgbaCanvas((side, side))
    limit = 0.95 - STAMP
    x, y = (
        (axis - center) / STAMP
        for axis, center in zip(procedural.grid(side), rng.uniform(-limit, limit, 2), strict=True)
    )
    pixel = 2 / side / STAMP
    square = edge(1 - np.maximum(np.abs(x), np.abs(y)), pixel)
    stamp.paint(np.array([30, 30, 40]), square * np.float32(0.8))
    sign = _sign(sorted(classes).index(label), x, y)
    stamp.paint(np.array([245, 245, 245]), edge(sign, pixel) * np.float32(0.9))
    return scene if removed else procedural.compose(scene, stamp), square


def _sign(index: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the signed distance to the edge of a sign, positive inside; the stamp is from -1 to 1."""
    radius = np.hypot(x, y)
    signs = (
        0.6 - radius,  # a disc
        0.18 - np.abs(radius - 0.55),  # a ring
        np.minimum(0.16 - np.minimum(np.abs(x), np.abs(y)), 0.7 - np.maximum(np.abs(x), np.abs(y))),  # +
        np.minimum(0.14 - np.abs(np.abs(y) - 0.4), 0.7 - np.abs(x)),  # two horizontal bars
        np.minimum(0.14 - np.abs(np.abs(x) - 0.4), 0.7 - np.abs(y)),  # two vertical bars
    )
    return signs[index]
