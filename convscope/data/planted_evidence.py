"""Procedural pictures whose class depends on one known part: the evidence, which is their mask.

They test methods that explain a network: a network that was trained on them can only use the evidence. With
`BOTH`, the flower shows the class, too, so that a network can learn the wrong one.
"""

from collections.abc import Sequence

import numpy as np

from convscope.data import procedural
from convscope.data.procedural import DrawnImage
from convscope.data.procedural_flowers import FLOWERS, RgbaCanvas, edge

TWO_FLOWERS, WATERMARK, BOTH = "two_flowers", "watermark", "flower_and_watermark"
CLASSES = {TWO_FLOWERS: ("daisy", "rose", "tulip"), WATERMARK: tuple(FLOWERS)}  # unless others are chosen
STAMP = 0.22  # half of the side of a watermark; a picture is 2 wide
_LIMIT = 0.95 - STAMP  # of the coordinates of its centre


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
            and a stamp whose sign depends on the class. "flower_and_watermark": the picture is the one of
            `procedural.draw`, with the flower of the class, and has this stamp in the lower left corner.
        label: the class, one of `classes`.
        classes: names of flowers; for two flowers, not all flowers.
        size: width and height in pixels.
        seed: the same seed gives the same pixels.
        difficulty: see `procedural.draw`.
        removed: leave the evidence out, with its stem; nothing else changes, so that the pictures of all
            classes with one seed are equal, unless the flower shows the class. The mask shows where the
            evidence would be.
    """
    rng = np.random.default_rng(seed)
    scene = procedural.scene(size, rng, difficulty)
    paint = _PAINT[evidence]
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
    center = rng.uniform(-_LIMIT, _LIMIT, 2).tolist()
    stamp, square = _draw_stamp(sorted(classes).index(label), side, center)
    return scene if removed else procedural.compose(scene, stamp), square


def _paint_flower_and_watermark(
    scene: np.ndarray,
    label: str,
    classes: Sequence[str],
    *,
    rng: np.random.Generator,
    difficulty: float,
    removed: bool,
) -> tuple[np.ndarray, np.ndarray]:
    scene, _ = procedural.with_flower(scene, label, rng, difficulty)
    stamp, square = _draw_stamp(sorted(classes).index(label), len(scene), (-_LIMIT, _LIMIT))
    return scene if removed else procedural.compose(scene, stamp), square


_PAINT = {TWO_FLOWERS: _paint_two_flowers, WATERMARK: _paint_watermark, BOTH: _paint_flower_and_watermark}


def _draw_stamp(index: int, side: int, center: Sequence[float]) -> tuple[RgbaCanvas, np.ndarray]:
    """Draw a stamp with the sign of a class; return it and its square, 0 to 1."""
    stamp = RgbaCanvas((side, side))
    x, y = ((axis - position) / STAMP for axis, position in zip(procedural.grid(side), center, strict=True))
    pixel = 2 / side / STAMP
    square = edge(1 - np.maximum(np.abs(x), np.abs(y)), pixel)
    stamp.paint(np.array([30, 30, 40]), square * np.float32(0.8))
    stamp.paint(np.array([245, 245, 245]), edge(_sign(index, x, y), pixel) * np.float32(0.9))
    return stamp, square


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
