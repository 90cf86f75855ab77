"""The diagram of a network: a box for each layer, in rows by depth, branches side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 190, 34  # pixels of a box
ACROSS, DOWN = 206, 46  # pixels from one box to the next
_LONGEST = 30  # characters of a line of a box
_COLORS = {
    "convolution": "#fde3d3",
    "pooling": "#dbeafe",
    "dense": "#dcfce7",
    "other": "#ffffff",
}


@dataclass(frozen=True)
class Box:
    """A layer: its path, its type, the shape of its output as text, its role, and its sources.

    `role` is "convolution", "pooling", "dense" or "other"; `sources` are indices into the list of boxes.
    """

    path: str
    kind: str
    shape: str
    role: str
    sources: Sequence[int]


def diagram(boxes: Sequence[Box]) -> Markup:
    """Return the boxes and their connections as an SVG element; all text is escaped."""
    depth: list[int] = []
    for box in boxes:
        depth.append(1 + max((depth[source] for source in box.sources), default=-1))
    column: list[int] = []
    used: dict[int, int] = {}
    for row in depth:
        column.append(used.get(row, 0))
        used[row] = column[-1] + 1
    corners = [(8 + ACROSS * x, 8 + DOWN * y) for x, y in zip(column, depth, strict=True)]
    width = 16 + ACROSS * max(used.values(), default=1) - (ACROSS - WIDTH)
    height = 16 + DOWN * (max(depth, default=0) + 1) - (DOWN - HEIGHT)
    lines = [
        _line(corners[source], corners[index]) for index, box in enumerate(boxes) for source in box.sources
    ]
    drawn = [_box(box, corner) for box, corner in zip(boxes, corners, strict=True)]
    opening = Markup(
        '<svg class="diagram" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img">'
    ).format(width, height)
    return opening + Markup("\n").join([*lines, *drawn]) + Markup("</svg>")


def _line(start: tuple[int, int], end: tuple[int, int]) -> Markup:
    """Return a line from a box down to another; it passes boxes of the same column on their right."""
    x0, y0, x1, y1 = start[0] + WIDTH // 2, start[1] + HEIGHT, end[0] + WIDTH // 2, end[1]
    middle = (DOWN - HEIGHT) // 2
    if y1 - y0 <= DOWN - HEIGHT or x0 != x1:
        path = f"M{x0} {y0}V{y1 - middle}H{x1}V{y1}"
    else:
        right = start[0] + WIDTH + 5
        path = f"M{x0} {y0}V{y0 + middle}H{right}V{y1 - middle}H{x1}V{y1}"
    return Markup('<path d="{}"/>').format(path)


def _box(box: Box, corner: tuple[int, int]) -> Markup:
    x, y = corner
    return Markup(
        "<g><title>{path}: {kind}, {shape}</title>"
        '<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="{color}"/>'
        '<text x="{left}" y="{first}">{name}</text>'
        '<text x="{left}" y="{second}" class="faint">{kind} {shape}</text></g>'
    ).format(
        path=box.path, kind=box.kind, shape=box.shape, x=x, y=y, width=WIDTH, height=HEIGHT, left=x + 7,
        color=_COLORS[box.role], first=y + 14, second=y + 27, name=escape(_short(box.path)),
    )  # fmt: skip


def _short(path: str) -> str:
    """Shorten a long path to its end: layers of one model differ there."""
    return path if len(path) <= _LONGEST else "…" + path[1 - _LONGEST :]
