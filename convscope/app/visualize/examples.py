"""The examples view of stage 3: what in a data set excites each channel of chosen layers most."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from convscope import decode, names
from convscope.config.schema.visualize import ExamplesConfig
from convscope.data.pipeline import Batches, LabelledImages
from convscope.files import write_text
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render import rows
from convscope.render.artifact import DataFile, View, write_view
from convscope.vis.example_search import ExampleSearch
from convscope.vis.excited import Excited, excited

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


def find_examples(
    bundle: ModelBundle, layers: Sequence[Layer], examples: LabelledImages, config: ExamplesConfig
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
    return excited(search, bundle.layers)


def write_table(
    bundle: ModelBundle, found: Sequence[Excited], examples: LabelledImages, directory: Path
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
    examples: LabelledImages,
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


def _tiles(each: Excited, examples: LabelledImages, input_size: tuple[int, int]) -> np.ndarray:
    """What the places see, uint8 (channels, k, height, width, 3); each photograph is read once."""
    size = each.tile_size(input_size, LONGEST)
    result = np.empty((*each.top.value.shape, *size, 3), np.uint8)
    read = decode.load_plain if examples.plain else decode.load

    def draw(example: int) -> None:
        pixels = read(examples.paths[example])
        for channel, rank in np.argwhere(each.top.example == example):
            window, mark = each.seen_part(channel, rank, input_size)
            result[channel, rank] = rows.example(pixels, window, mark, size=size, input_size=input_size)

    list(in_threads(draw, [int(example) for example in np.unique(each.top.example)]))
    return result
