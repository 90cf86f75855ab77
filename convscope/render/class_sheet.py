"""The sheet of the pictures of one class."""

from collections.abc import Sequence

import numpy as np

from convscope.images import Indexed
from convscope.render.canvas import Canvas
from convscope.render.lettering import FAINT, Label, cut, text_width
from convscope.render.mosaic import HEADER, MARGIN

GAP = 6  # pixels between pictures
_LINES = 40  # height of the two lines of text below the pictures in pixels
_COLUMNS = 4


def class_sheet(
    rows: Sequence[np.ndarray], notes: Sequence[str], title: str, subtitle: str
) -> Indexed | np.ndarray:
    """Draw pictures below a title, at most four side by side; the pictures of one column belong together.

    Args:
        rows: uint8 (n, size, size, 3) for each row.
        notes: two lines below each column.
        title: the class.
        subtitle: a description.

    Returns:
        uint8 (height, width, 3).
    """
    count, size = rows[0].shape[:2]
    columns = min(count, _COLUMNS)
    block = len(rows) * (size + GAP) + _LINES
    body = columns * (size + GAP) - GAP
    width = 2 * MARGIN + max(body, text_width(title, 17, bold=True), text_width(subtitle, 12))
    canvas = Canvas(HEADER + -(-count // columns) * block, width)
    canvas.write(
        Label(title, (MARGIN, MARGIN), 17, bold=True), Label(subtitle, (MARGIN, MARGIN + 25), 12, FAINT)
    )
    for index in range(count):
        line, column = divmod(index, columns)
        top, left = HEADER + line * block, MARGIN + column * (size + GAP)
        for number, pictures in enumerate(rows):
            canvas.put(top + number * (size + GAP), left, pictures[index])
        below = top + len(rows) * (size + GAP)
        for number, text in enumerate(notes[index].splitlines()):
            at = (left + size // 2, below + 15 * number)
            canvas.write(Label(cut(text, size, 12), at, 12, anchor="mt"))
    return canvas.finish()
