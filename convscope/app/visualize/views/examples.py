"""The examples view: crops of the reference images with the highest values in each channel."""

from collections.abc import Iterator

import numpy as np

from convscope import decode, names
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.config.schema.views.examples import ExamplesConfig
from convscope.data.pipeline import Batches
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render import rows
from convscope.render.artifact import Artifact
from convscope.vis.example_search import ExampleSearch
from convscope.vis.layer_top import LayerTop, layer_tops, layers_to_search

TABLE = "examples/examples.csv"
COLUMNS = (
    "layer", "channel", "rank", "photograph", "value", "row", "column", "top", "left", "bottom", "right",
)  # fmt: skip
BATCH = 32
LONGEST = 72  # pixels of a crop's longer side


class ExamplesView(View[ExamplesConfig]):
    """Searches the reference images once, then draws the strongest crops of each channel."""

    def __init__(self, run: Run, settings: ExamplesConfig) -> None:
        """Check the layers, and open the reference images."""
        super().__init__(run, settings)
        self.layers = layers_to_search(run.models.first.layers, settings.layers)
        self.images = run.reference_images

    def draw(self) -> Iterator[Artifact]:
        """Yield the table, then a sheet for each layer."""
        results = self._search()
        about = {"layers": [result.layer.path for result in results]}
        yield self.table(TABLE, COLUMNS, self._rows(results), about=about)
        for result in progress(results, desc="drawing examples", unit="layer"):
            yield self._sheet(result)

    def _search(self) -> list[LayerTop]:
        bundle = self.run.models.first
        batches = Batches(
            self.images,
            size=bundle.contract.input_size,
            preprocessing=bundle.contract.preprocessing,
            batch_size=BATCH,
        )
        search = ExampleSearch(bundle.model, self.layers, top=self.settings.top)
        for index in progress(range(len(batches)), desc="examples", unit="batch"):
            search.add(batches[index][0])
        return layer_tops(search, bundle.layers, limit=self.settings.limit)

    def _rows(self, results: list[LayerTop]) -> Iterator[tuple[str | int, ...]]:
        """Yield the rows of the table; windows are in pixels of the input."""
        for result in results:
            top = result.top
            for channel, rank in np.ndindex(*top.value.shape):
                at = (channel, rank)
                path = names.printable(str(self.images.paths[top.example[at]]))
                window = (f"{side:g}" for side in result.window(*at) or ())
                yield (
                    result.layer.path, int(result.channels[channel]), rank + 1, path,
                    f"{top.value[at]:.7g}", int(top.row[at]), int(top.column[at]), *window,
                )  # fmt: skip

    def _sheet(self, result: LayerTop) -> Artifact:
        layer, value, silent = result.layer, result.top.value, result.silent
        count, across = value.shape
        total = len(self.images.paths)
        caption = f"{count} of {layer.channels} channels, the strongest; "
        if count == layer.channels:
            caption = f"all {count} channels; "
        caption += f"the {across} strongest of {total:,} photographs"
        if silent.all(axis=1).any():
            caption += f"; hatched: {int(silent.all(axis=1).sum())} that no photograph activates"
        if result.tie_break:
            caption += f"; {result.tie_break}"
        drawn = rows.Rows(
            self._crops(result),
            silent,
            [str(channel) for channel in result.channels],
            [f"{highest:.3g}" for highest in value[:, 0]],
        )
        return self.picture(
            f"examples/{self.index_of(layer)}_{names.file_name(layer.path)}.jpg",
            rows.sheet(drawn, layer.path, caption),
            title=layer.path,
            caption=caption,
            about={
                "layer": layer.path,
                "channels": [int(result.channels[0]), int(result.channels[-1])],
                "chosen": result.channels.tolist(),
                "value_range": [float(value.min()), float(value.max())],
                "splits": list(self.run.config.splits),
                "photographs": total,
            },
        )

    def _crops(self, result: LayerTop) -> np.ndarray:
        """Return the crops of the photographs, uint8 (channels, k, height, width, 3)."""
        input_size = self.run.models.first.contract.input_size
        size = result.tile_size(input_size, LONGEST)
        crops = np.empty((*result.top.value.shape, *size, 3), np.uint8)
        read = decode.load_plain if self.images.plain else decode.load

        def draw(example: int) -> None:
            pixels = read(self.images.paths[example])
            for channel, rank in np.argwhere(result.top.example == example):
                window, mark = result.crop_window(channel, rank, input_size)
                crops[channel, rank] = rows.example(pixels, window, mark, size=size, input_size=input_size)

        list(in_threads(draw, [int(example) for example in np.unique(result.top.example)]))
        return crops
