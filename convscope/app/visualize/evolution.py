"""The evolution view of stage 3: chosen channels of a layer across the epochs of the training."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convscope import decode, names
from convscope.app.visualize import animations
from convscope.app.visualize.photographs import Photograph
from convscope.config.schema.visualize import EvolutionConfig
from convscope.data.pipeline import encode_photographs
from convscope.models.bundle import ModelBundle
from convscope.models.epochs import Epochs
from convscope.progress import progress
from convscope.render import mosaic
from convscope.render.artifact import View, write_view
from convscope.render.levels import on_one_scale
from convscope.render.strip import Strip, strip_frames, strip_sheet
from convscope.vis.extractor import Extractor
from convscope.vis.followed_channels import Followed, follow, maps_of_states

INTRO = (
    "What chosen channels put out for a photograph, before the first step (epoch 0; after a first phase, "
    "where there was one) and after its epochs, the same scale throughout. Hatched: the same everywhere."
)
COLOR_MAP = "viridis"
_TILE, _SMALL, _FEW = 96, 48, 16  # pixels of a tile, of one in the strip of more epochs than so many


class EvolutionDrawing:
    """Draws what layers put out for photographs after each epoch of which a snapshot was kept.

    Snapshots are put into a second copy of the trained model, opened for that: the bundle's own stays as it
    is. Layers, channels and the files are checked when it is made; it raises ConvscopeError then.
    """

    def __init__(self, bundle: ModelBundle, config: EvolutionConfig, directory: Path, *, allow_code: bool):
        self.bundle, self.config, self.directory = bundle, config, directory
        animations.check(config.animate)
        self.epochs = Epochs(Path(bundle.path), allow_code=allow_code)
        graph = self.epochs.graph
        self.followed = follow(graph.layers, config.layers, config.channels)
        self.extract = Extractor(graph.model, [each.layer for each in self.followed])
        self.digits = max(2, len(str(len(graph.layers) - 1)))

    def draw(self, photographs: Sequence[Photograph]) -> Iterator[View]:
        """Write the strip and the animations of each photograph and layer; yields each view as it is written.

        Raises:
            ConvscopeError: a layer puts out values that are not finite, or a snapshot has become unreadable.
        """
        for photograph in progress(photographs, desc="evolution", unit="photograph"):
            found = self.maps(photograph)
            for each in self.followed:
                yield from self._of_layer(photograph, each, found[each.layer.path])

    def maps(self, photograph: Photograph) -> dict[str, np.ndarray]:
        """The maps of the chosen channels by layer, float32 (epochs, height, width, channels)."""
        contract = self.bundle.contract
        inputs = encode_photographs(
            [decode.load(photograph.path)], contract.input_size, contract.preprocessing
        )
        return maps_of_states(self.extract, self.followed, inputs, self.epochs)

    def _of_layer(self, photograph: Photograph, chosen: Followed, maps: np.ndarray) -> Iterator[View]:
        epochs = self.epochs.numbers
        layer = chosen.layer
        strip = _strip(chosen, epochs, maps, _TILE if len(epochs) <= _FEW else _SMALL)
        stem = f"evolution/{photograph.key}/{layer.index:0{self.digits}d}_{names.file_name(layer.path)}"
        title = f"{photograph.key}: {layer.path}"
        about: Mapping[str, Any] = {
            "view": "evolution",
            "layer": layer.path,
            "epochs": epochs,
            "channels": [min(chosen.channels), max(chosen.channels)],
            "chosen": chosen.channels,
            "value_range": [float(maps.min()), float(maps.max())],
            "color_map": COLOR_MAP,
            "normalize": "all epochs and channels on one scale",
            "model_sha256": self.bundle.sha256,
            **photograph.provenance,
        }
        yield write_view(
            self.directory,
            f"{stem}.png",
            strip_sheet(strip),
            title=title,
            caption=strip.subtitle,
            provenance=about,
        )
        frames = strip_frames(_strip(chosen, epochs, maps, _TILE), epochs)
        caption = f"{strip.subtitle}; {len(epochs)} snapshots"
        moving = View(stem, f"{title}, moving", caption, frames.shape[1:3], dict(about))
        config = self.config
        yield from animations.animate(self.directory, moving, list(frames), config.rate, config.animate)


def _strip(chosen: Followed, epochs: Sequence[int], maps: np.ndarray, max_tile: int) -> Strip:
    """The maps, float (epochs, height, width, channels), on one scale from their lowest to their highest."""
    low, high = float(maps.min()), float(maps.max())
    of_epochs = [on_one_scale(each, low, high) for each in maps]
    layout = mosaic.Layout(max_tile)
    tiles = [mosaic.map_tiles(levels, layout=layout) for levels in of_epochs]
    labels = of_epochs[0].labels
    size = "×".join(map(str, maps.shape[1:3]))
    return Strip(
        [mosaic.Tiles(each.pixels, each.silent, np.array(chosen.channels)) for each in tiles],
        [str(epoch) for epoch in epochs],
        chosen.layer.path,
        f"{chosen.layer.kind}, {size}, all epochs and channels on one scale, {labels[0]} to {labels[2]}",
        mosaic.Scale(COLOR_MAP, labels),
        "epoch",
    )
