import re
import xml.etree.ElementTree as ElementTree

from convscope.render.diagram import ACROSS, DOWN, Box, diagram


def boxes() -> list[Box]:
    """In, two ways of different length, and where they meet."""
    return [
        Box("in", "InputLayer", "8×8×3", "other", []),
        Box("a<b>", "Conv2D", "8×8×4", "convolution", [0]),
        Box("long/way", "Conv2D", "8×8×4", "convolution", [1]),
        Box("short", "MaxPooling2D", "8×8×4", "pooling", [0]),
        Box("sum", "Add", "8×8×4", "other", [2, 3]),
    ]


def test_rows_are_depths_and_branches_lie_beside_each_other() -> None:
    root = ElementTree.fromstring(str(diagram(boxes())))  # well-formed, though a name has < in it
    places = [(int(each.get("x")), int(each.get("y"))) for each in root.iter("rect")]
    steps = [((x - 8) // ACROSS, (y - 8) // DOWN) for x, y in places]
    assert steps == [(0, 0), (0, 1), (0, 2), (1, 1), (0, 3)]
    assert len(list(root.iter("path"))) == 5
    assert [each.text for each in root.iter("title")][1] == "a<b>: Conv2D, 8×8×4"
    right = max(x for x, _ in places)
    assert int(root.get("width")) > right


def test_a_connection_over_several_rows_is_drawn_beside_the_boxes() -> None:
    chain = [Box(str(index), "ReLU", "", "other", [index - 1] if index else []) for index in range(3)]
    skipping = [*chain, Box("3", "Add", "", "other", [2, 0])]
    paths = [each.get("d") for each in ElementTree.fromstring(str(diagram(skipping))).iter("path")]
    assert len({x for path in paths for x in re.findall(r"H(\d+)", path)}) == 2  # out, and back
