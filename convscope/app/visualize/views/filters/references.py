"""The photographs of the data set that excite channels most, to compare patterns with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convscope import images
from convscope.app.visualize.run import Run
from convscope.data.pipeline import Batches, LabelledImages
from convscope.graph import Layer
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render import rows
from convscope.vis.example_search import ExampleSearch
from convscope.vis.layer_top import LayerTop, layer_tops

MOST = 512  # photographs in a search
TOP = 4  # photographs of each channel
_BATCH = 32


@dataclass(frozen=True)
class References:
    """The result of a search through at most `MOST` photographs, evenly spread over `splits`.

    Attributes:
        images: the photographs.
        tops: the strongest photographs of each channel, by layer path.
        input_size: height and width of the input of the model in pixels.
    """

    images: LabelledImages
    tops: dict[str, LayerTop]
    input_size: tuple[int, int]

    @property
    def count(self) -> int:
        """The number of photographs."""
        return len(self.images.paths)

    def highest(self, layer: Layer) -> np.ndarray:
        """Return the highest response of each channel before the activation, float32 (channels,).

        It is 0 where the activation returned 0 for all photographs.
        """
        top = self.tops[layer.path].top
        return (top.value if top.before is None else np.where(top.value > 0, top.before, top.value))[:, 0]

    def crops(self, layer: Layer, channels: Sequence[int], size: int) -> np.ndarray:
        """Return the parts of photographs that excite channels most, uint8 (n, k, size, size, 3)."""
        tops = self.tops[layer.path]
        top = tops.top.of_channels(np.asarray(channels))
        chosen = replace(tops, top=top, channels=np.asarray(channels))
        crops = np.empty((*top.value.shape, size, size, 3), np.uint8)

        def draw(example: int) -> None:
            pixels = self.images.read(example)
            for row, rank in np.argwhere(top.example == example):
                window, mark = chosen.crop_window(row, rank, self.input_size)
                crops[row, rank] = rows.example(
                    pixels, window, mark, size=(size, size), input_size=self.input_size
                )

        list(in_threads(draw, [int(example) for example in np.unique(top.example)]))
        return crops

    def photograph(self, layer: Layer, channel: int, size: int) -> np.ndarray:
        """Return the photograph that excites a channel most, uint8 (size, size, 3)."""
        example = int(self.tops[layer.path].top.example[channel, 0])
        return images.resize(self.images.read(example), size, size)


def search(run: Run, layers: Sequence[Layer]) -> References | None:
    """Return the strongest photographs of `splits` for layers with maps; None if no data set is at hand."""
    layers = [layer for layer in layers if layer.has_maps]
    if not run.has_reference_images:
        return None
    bundle, spread = run.models.first, run.reference_images.spread(MOST)
    size = bundle.contract.input_size
    batches = Batches(spread, size=size, preprocessing=bundle.contract.preprocessing, batch_size=_BATCH)
    of_layers = ExampleSearch(bundle.model, layers, top=TOP)
    for index in progress(range(len(batches)), desc="photographs of filters", unit="batch", leave=False):
        of_layers.add(batches[index][0])
    tops = {top.layer.path: top for top in layer_tops(of_layers, bundle.layers)}
    return References(spread, tops, size)
