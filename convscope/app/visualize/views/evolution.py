"""The evolution view: chosen channels of a layer across the epochs of the training, all on one scale."""

from collections.abc import Iterator

import numpy as np

from convscope import names
from convscope.app.visualize.models import MapsOfModels
from convscope.app.visualize.photographs import Photograph, encode
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views import animations
from convscope.app.visualize.views.strips import map_strip, strip_picture
from convscope.config.schema.views.evolution import EvolutionConfig
from convscope.models.sequence import Models
from convscope.progress import progress
from convscope.render.artifact import Artifact, Role
from convscope.render.levels import on_one_scale
from convscope.render.strip import Strip, strip_frames
from convscope.vis.followed_channels import Followed, most_changed, select_channels

COLOR_MAP = "viridis"
MAX_PHOTOGRAPHS = 8  # photographs for the choice of channels
_KEY = "evolution.layers"
_TILE, _SMALL_TILE = 96, 48  # side of a tile in pixels, and in a strip with more than `_FEW_EPOCHS` columns
_FEW_EPOCHS = 16


class EvolutionView(View[EvolutionConfig]):
    """Draws a strip and animations for each photograph and layer, from the snapshots of the training."""

    def __init__(self, run: Run, settings: EvolutionConfig) -> None:
        """Open the snapshots, and check layers and channels."""
        super().__init__(run, settings)
        animations.check(settings.animate)
        self.snapshots = run.snapshots
        self.epochs = [int(title) for title in self.snapshots.titles]
        self.followed = select_channels(self.snapshots.first.layers, settings.layers, settings.channels)
        layers = [followed.layer for followed in self.followed]
        self._maps = MapsOfModels(self.snapshots, layers, _KEY)
        self.photographs = run.photographs

    def draw(self) -> Iterator[Artifact]:
        """Yield the strip and the animations for each photograph and layer."""
        if not self.settings.channels:
            self.followed = self._most_changed()
        for photograph in progress(self.photographs, desc="evolution", unit="photograph"):
            maps = self.maps(photograph)
            for followed in self.followed:
                yield from self._of_layer(photograph, followed, maps[followed.layer.path])

    def maps(self, photograph: Photograph) -> dict[str, np.ndarray]:
        """Return maps of the followed channels by layer path, float32 (epochs, height, width, channels)."""
        epochs: dict[str, list[np.ndarray]] = {followed.layer.path: [] for followed in self.followed}
        for maps in self._maps(lambda bundle: encode([photograph], bundle)):
            for followed in self.followed:
                path = followed.layer.path
                epochs[path].append(maps[path][0][..., followed.channels])
        return {path: np.stack(of_epochs) for path, of_epochs in epochs.items()}

    def _most_changed(self) -> list[Followed]:
        """Return, for each layer, the channels that change most from the first to the last snapshot."""
        ends = Models([self.snapshots[0], self.snapshots[-1]])
        layers = [followed.layer for followed in self.followed]
        photographs = self.photographs[:MAX_PHOTOGRAPHS]
        first, last = MapsOfModels(ends, layers, _KEY)(lambda bundle: encode(photographs, bundle))
        return [Followed(layer, most_changed(first[layer.path], last[layer.path])) for layer in layers]

    def _of_layer(self, photograph: Photograph, followed: Followed, maps: np.ndarray) -> Iterator[Artifact]:
        layer, count = followed.layer, len(self.epochs)
        stem = f"evolution/{photograph.key}/{self.index_of(layer)}_{names.file_name(layer.path)}"
        about = {
            "layer": layer.path,
            "epochs": self.epochs,
            "channels": [min(followed.channels), max(followed.channels)],
            "chosen": followed.channels,
            "value_range": [float(maps.min()), float(maps.max())],
            "color_map": COLOR_MAP,
            "normalize": "all epochs and channels on one scale",
        }
        strip = self._strip(followed, maps, _TILE if count <= _FEW_EPOCHS else _SMALL_TILE)
        yield strip_picture(self, f"{stem}.png", strip, photograph, about, widest=0)
        moving = self._strip(followed, maps, _TILE)
        yield from animations.animate(
            self,
            stem,
            list(strip_frames(moving, self.epochs)),
            title=f"{layer.path}, moving",
            caption=f"{strip.subtitle}; {count} snapshots",
            photograph=photograph,
            about=about,
            gif_role=Role.figure,
        )

    def _strip(self, followed: Followed, maps: np.ndarray, max_tile: int) -> Strip:
        """Return maps, float (epochs, height, width, channels), on one scale from minimum to maximum."""
        low, high = float(maps.min()), float(maps.max())
        levels = [on_one_scale(of_epoch, low, high) for of_epoch in maps]
        lowest, _, highest = levels[0].labels
        size = "×".join(map(str, maps.shape[1:3]))
        return map_strip(
            levels,
            followed.channels,
            columns=self.snapshots.titles,
            title=followed.layer.path,
            subtitle=f"{followed.layer.kind}, {size}, all epochs and channels on one scale, "
            f"{lowest} to {highest}",
            color_map=COLOR_MAP,
            max_tile=max_tile,
            heading="epoch",
        )
