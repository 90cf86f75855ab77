"""The examples view of stage 3: what in a data set excites each channel of chosen layers most."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope import decode, images, names
from convscope.app.filters import choose_layers
from convscope.config import ExamplesConfig
from convscope.data.pipeline import Batches, Examples
from convscope.errors import ConvscopeError
from convscope.files import write_text
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render import rows
from convscope.render.view import DataFile, View, write_view
from convscope.vis.examples import ExampleSearch, Top
from convscope.vis.receptive_field import ReceptiveField, receptive_fields
from convscope.vis.statistics import rectified

INTRO = (
    "The parts of photographs that excite a channel most, a row a channel, the strongest first; the number "
    "below the channel's is the highest value. A part is what the place sees; light grey lies outside the "
    "photograph. Where a place sees all of it, an outline is around the place. Hatched: nothing excites the "
    "channel, or all photographs do alike."
)
TABLE = "examples/examples.csv"
COLUMNS = (
    "layer", "channel", "rank", "photograph", "value", "row", "column", "top", "left", "bottom", "right",
)  # fmt: skip
BATCH = 32
LONGEST = 72  # pixels of a part's longer side

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class Excited:
    """A layer, what a place of it sees (None: all, or not known), and what excites its channels most.

    `rectifies` says that its output is cut off at zero; `seen` is how many photographs were looked at.
    """

    layer: Layer
    field: ReceptiveField | None
    top: Top
    rectifies: bool
    seen: int

    def window(self, channel: int, rank: int) -> Window | None:
        """Top, left, bottom and right, in pixels of the model's input, of what the place sees."""
        if self.field is None:
            return None
        return self.field.window(int(self.top.row[channel, rank]), int(self.top.column[channel, rank]))

    @property
    def silent(self) -> np.ndarray:
        """Which examples say nothing, bool (channels, k): zeros after a ReLU, or as all the others are."""
        nothing = np.broadcast_to(self.top.same[:, None], self.top.value.shape).copy()
        if self.seen == 1:
            nothing[:] = False  # a single photograph is as all are
        if self.rectifies:
            nothing |= self.top.value <= 0
        return nothing


def layers_to_search(layers: Sequence[Layer], patterns: Sequence[str]) -> list[Layer]:
    """The layers that are chosen, or four across the depth, after the activation that follows them.

    Before it a channel's strongest response may be what normalisation with a negative factor puts last.

    Raises:
        ConvscopeError: there is none, or one has no feature maps.
    """
    chosen = choose_layers(patterns, layers, "examples.layers")
    if not patterns:
        chosen = [rectified(layers, layer) or layer for layer in chosen]
    if not chosen:
        raise ConvscopeError("views=[examples]: the model has no convolution, expected one to search")
    return chosen


def find_examples(
    bundle: ModelBundle, layers: Sequence[Layer], examples: Examples, config: ExamplesConfig
) -> list[Excited]:
    """Look through the examples once, in order.

    Raises:
        ConvscopeError: a photograph cannot be read, or a layer puts out values that are not finite.
    """
    batches = Batches(
        examples,
        size=bundle.contract.input_size,
        preprocessing=bundle.contract.preprocessing,
        batch_size=BATCH,
    )
    search = ExampleSearch(bundle.model, layers, top=config.top, limit=config.limit)
    for index in progress(range(len(batches)), desc="examples", unit="batch"):
        search.add(batches[index][0])
    fields = receptive_fields(bundle.layers)
    found = search.found
    return [
        Excited(
            layer,
            fields[layer.index],
            found[layer.path],
            rectified(bundle.layers, layer) is layer,
            len(examples.paths),
        )
        for layer in layers
    ]


def write_table(
    bundle: ModelBundle, found: Sequence[Excited], examples: Examples, directory: Path
) -> DataFile:
    """Write all that was found as CSV. Windows are in pixels of the input."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in found:
        top = each.top
        for channel, rank in np.ndindex(*top.value.shape):
            at = (channel, rank)
            writer.writerow(
                [
                    each.layer.path, channel, rank + 1,
                    names.printable(str(examples.paths[top.example[at]])), f"{top.value[at]:.7g}",
                    top.row[at], top.column[at],
                    *(f"{side:g}" for side in each.window(*at) or ()),
                ]
            )  # fmt: skip
    write_text(directory / TABLE, text.getvalue())
    about = {"view": "examples", "layers": [each.layer.path for each in found], "model_sha256": bundle.sha256}
    return DataFile(TABLE, about)


def draw_examples(
    bundle: ModelBundle,
    found: Sequence[Excited],
    examples: Examples,
    directory: Path,
    *,
    splits: Sequence[str],
) -> Iterator[View]:
    """Write `examples/NN_LAYER.png` for every layer; yields each view as it is written."""
    digits = max(2, len(str(len(bundle.layers) - 1)))
    for each in progress(found, desc="drawing examples", unit="layer"):
        layer, value, silent = each.layer, each.top.value, each.silent
        count, across = value.shape
        total = len(examples.paths)
        caption = f"{count} of {layer.channels} channels, the {across} strongest of {total:,} photographs"
        if silent.all(axis=1).any():
            caption += f"; hatched: {int(silent.all(axis=1).sum())} that nothing excites"
        drawn = rows.Rows(
            _tiles(each, examples, bundle.contract.input_size),
            silent,
            [str(channel) for channel in range(count)],
            [f"{highest:.3g}" for highest in value[:, 0]],
        )
        yield write_view(
            directory,
            f"examples/{layer.index:0{digits}d}_{names.file_name(layer.path)}.png",
            rows.sheet(drawn, layer.path, caption),
            title=layer.path,
            caption=caption,
            provenance={
                "view": "examples",
                "layer": layer.path,
                "channels": [0, count - 1],
                "value_range": [float(value.min()), float(value.max())],
                "splits": list(splits),
                "photographs": total,
                "model_sha256": bundle.sha256,
            },
        )


def _tiles(each: Excited, examples: Examples, input_size: tuple[int, int]) -> np.ndarray:
    """What the places see, uint8 (channels, k, height, width, 3); each photograph is read once."""
    sees = input_size if each.field is None else (each.field.height.size, each.field.width.size)
    wanted = {at: _shown(each.window(*at), input_size) for at in np.ndindex(*each.top.value.shape)}
    if all(window is None for window in wanted.values()):
        sees = input_size
    size = _tile_size(*sees)
    result = np.empty((*each.top.value.shape, *size, 3), np.uint8)

    def draw(example: int) -> None:
        read = decode.load_plain if examples.plain else decode.load
        pixels = read(examples.paths[example])
        if pixels.shape[0] < input_size[0] or pixels.shape[1] < input_size[1]:
            pixels = images.resize(pixels, *input_size)  # as the model saw it
        for channel, rank in np.argwhere(each.top.example == example):
            window = wanted[channel, rank]
            tile = rows.part(pixels, window or (0.0, 0.0, 1.0, 1.0), size)
            if window is None:
                tile = _marked(tile, each, (int(channel), int(rank)))
            result[channel, rank] = tile

    list(in_threads(draw, [int(example) for example in np.unique(each.top.example)]))
    return result


def _shown(window: Window | None, input_size: tuple[int, int]) -> Window | None:
    """A window as fractions of the picture; None where it covers all of it."""
    if window is None:
        return None
    top, left, bottom, right = window
    height, width = input_size
    if top <= 0 and left <= 0 and bottom >= height and right >= width:
        return None
    return top / height, left / width, bottom / height, right / width


def _marked(tile: np.ndarray, each: Excited, at: tuple[int, int]) -> np.ndarray:
    """The whole picture with an outline around the place, of the extent that one place has in the map."""
    height, width = each.layer.shape[:2]
    if not height or not width:
        return tile  # how many places there are is open
    middle = ((each.top.row[at] + 0.5) / height, (each.top.column[at] + 0.5) / width)
    return rows.marked(tile, middle, (1 / height, 1 / width))


def _tile_size(height: float, width: float) -> tuple[int, int]:
    """The aspect of what is seen, the longer side as long as all tiles'."""
    factor = LONGEST / max(height, width)
    return max(12, round(height * factor)), max(12, round(width * factor))
