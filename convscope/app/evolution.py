"""The evolution view of stage 3: chosen channels of a layer across the epochs of the training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convscope import decode, names
from convscope.app import animations
from convscope.app.photographs import Photograph
from convscope.config import EvolutionConfig
from convscope.data.pipeline import encode_photographs
from convscope.errors import ConvscopeError
from convscope.graph import Layer, flatten
from convscope.models.bundle import MODEL_FILE, ModelBundle
from convscope.models.load import load_model
from convscope.models.snapshots import FOLDER, Snapshot, find_snapshots
from convscope.progress import progress
from convscope.render import mosaic
from convscope.render.levels import on_one_scale
from convscope.render.strip import Strip, strip_frames, strip_sheet
from convscope.render.view import View, write_view
from convscope.vis.activations import Extractor
from convscope.vis.layers import select

INTRO = (
    "What chosen channels put out for a photograph, before the first step (epoch 0; after a first phase, "
    "where there was one) and after its epochs, the same scale throughout. Hatched: the same everywhere."
)
COLOR_MAP = "viridis"
FIRST = 8  # channels that are shown unless others are chosen
_TILE, _SMALL, _FEW = 96, 48, 16  # pixels of a tile, of one in the strip of more epochs than so many


@dataclass(frozen=True)
class _Chosen:
    """A layer and those of its channels that are shown."""

    layer: Layer
    channels: list[int]


class EvolutionDrawing:
    """Draws what layers put out for photographs after each epoch of which a snapshot was kept.

    Snapshots are put into a second copy of the trained model, opened for that: the bundle's own stays as it
    is. Layers, channels and the files are checked when it is made; it raises ConvscopeError then.
    """

    def __init__(self, bundle: ModelBundle, config: EvolutionConfig, directory: Path, *, allow_code: bool):
        self.bundle, self.config, self.directory = bundle, config, directory
        animations.check(config.animate)
        self.snapshots = _snapshots_of(bundle)
        self.model = load_model(Path(bundle.path), allow_code=allow_code)
        graph = flatten(self.model)  # shares its weights, whose order is the saved model's
        own = {id(weight) for weight in self.model.weights}
        if any(id(weight) not in own for weight in graph.model.weights):
            raise ConvscopeError(
                f"{bundle.path} computes in 16 bits or with the channels first: views=[evolution] expects a "
                "model.keras that train.py saved"
            )
        self.chosen = [_channels_of(layer, config.channels) for layer in _layers_of(graph.layers, config)]
        self.extract = Extractor(graph.model, [each.layer for each in self.chosen])
        self.digits = max(2, len(str(len(graph.layers) - 1)))
        for snapshot in self.snapshots:
            snapshot.weights(self.model)

    def draw(self, photographs: Sequence[Photograph]) -> Iterator[View]:
        """Write the strip and the animations of each photograph and layer; yields each view as it is written.

        Raises:
            ConvscopeError: a layer puts out values that are not finite, or a snapshot has become unreadable.
        """
        for photograph in progress(photographs, desc="evolution", unit="photograph"):
            found = self.maps(photograph)
            for each in self.chosen:
                yield from self._of_layer(photograph, each, found[each.layer.path])

    def maps(self, photograph: Photograph) -> dict[str, np.ndarray]:
        """The maps of the chosen channels by layer, float32 (epochs, height, width, channels)."""
        contract = self.bundle.contract
        inputs = encode_photographs(
            [decode.load(photograph.path)], contract.input_size, contract.preprocessing
        )
        maps: dict[str, list[np.ndarray]] = {each.layer.path: [] for each in self.chosen}
        for snapshot in self.snapshots:
            self.model.set_weights(snapshot.weights(self.model))
            found = self.extract(inputs)
            for each in self.chosen:
                maps[each.layer.path].append(found[each.layer.path][0][..., each.channels])
        return {path: np.stack(of_epochs) for path, of_epochs in maps.items()}

    def _of_layer(self, photograph: Photograph, chosen: _Chosen, maps: np.ndarray) -> Iterator[View]:
        epochs = [snapshot.epoch for snapshot in self.snapshots]
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


def _strip(chosen: _Chosen, epochs: Sequence[int], maps: np.ndarray, max_tile: int) -> Strip:
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


def _snapshots_of(bundle: ModelBundle) -> list[Snapshot]:
    """Those of the run that the model is from."""
    path = Path(bundle.path)
    if path.name != MODEL_FILE or not (path.parent / FOLDER).is_dir():
        raise ConvscopeError(
            f"views=[evolution] draws a run that has snapshots/, and {bundle.path} is from none: train with "
            "'train.py callbacks=[snapshots]', and say checkpoint=RUN"
        )
    return find_snapshots(path.parent)


def _layers_of(layers: Sequence[Layer], config: EvolutionConfig) -> list[Layer]:
    found = select(layers, config.layers or ["last_conv"])
    chosen = [layer for layer in found if layer.has_maps]
    if not chosen:
        raise ConvscopeError(
            f"layer {found[0].path} ({found[0].kind}) has no feature maps, its output is {found[0].shape}: "
            "choose convolutions or poolings in evolution.layers"
        )
    return chosen


def _channels_of(layer: Layer, wanted: Sequence[int]) -> _Chosen:
    if wanted and max(wanted) >= layer.channels:
        raise ConvscopeError(
            f"evolution.channels={list(wanted)}: {layer.path} has the channels 0 to {layer.channels - 1}"
        )
    return _Chosen(layer, list(wanted) or list(range(min(FIRST, layer.channels))))
