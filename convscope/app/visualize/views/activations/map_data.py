"""The feature maps of a run as data for the page: a file for each photograph, layer and model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convscope.app.visualize.photographs import Photograph, encode
from convscope.graph import Layer
from convscope.render.artifact import Artifact
from convscope.render.map_data import WHOLE, map_content, thumbnail
from convscope.vis.extractor import BEFORE

if TYPE_CHECKING:
    from convscope.app.visualize.views.activations.drawing import ActivationsView

INPUT = "input"  # the key of the pixels as the first model gets them


class MapData:
    """The layers whose maps the page shows: the last member of each joined layer with a drawn one."""

    def __init__(self, view: "ActivationsView") -> None:
        """Choose the layers; `layers` are those that are not drawn themselves."""
        self.view = view
        page_layers = view.run.page_layers
        drawn = {layer.path for layer in view.layers}
        self._shown: dict[str, str] = {}  # the path of the page's layer, by the path of its last member
        self._before: dict[str, str] = {}  # the same, by the path of the member before the activation
        self.layers: list[Layer] = []
        for joined in page_layers.joined:
            if drawn & {member.path for member in joined.members}:
                self._shown[joined.output.path] = joined.path
                needed = [joined.output]
                if view.settings.before_activation and joined.before_activation:
                    self._before[joined.before_activation.path] = joined.path
                    needed.insert(0, joined.before_activation)
                self.layers += [layer for layer in needed if layer.path not in drawn]

    def of_layer(
        self, photograph: Photograph, layer: Layer, maps: Sequence[np.ndarray]
    ) -> Iterator[Artifact]:
        """Yield the maps of a layer in each model, if the page shows them."""
        path = self._shown.get(layer.path) or self._before.get(layer.path)
        before = layer.path.endswith(BEFORE) or layer.path in self._before
        if path is None and not before:
            return
        key = self.view.run.page_layers.keys[layer.path.removesuffix(BEFORE)]
        name = f"{key}_before" if before else key
        for model, values in enumerate(maps):
            suffix = f"_model{model}" if model else ""
            most = None if values.ndim == 1 else self.view.plan.channels
            content = map_content(values, self.view.settings.max_tile, most)
            about = {"kind": "maps_before" if before else "maps", "layer": key, "model": model}
            yield self.view.data_file(
                f"activations/{photograph.key}/{name}{suffix}.js",
                {"layer": path or layer.path, **content},
                data={**about, "silent": len(content["silent"])},
                photograph=photograph,
            )

    def of_photograph(
        self, photograph: Photograph, thumbnails: Mapping[str, dict[str, Any]]
    ) -> Iterator[Artifact]:
        """Yield the thumbnails of all layers, and the pixels as the first model gets them."""
        folder = f"activations/{photograph.key}"
        yield self.view.data_file(
            f"{folder}/thumbnails.js", dict(thumbnails), data={"kind": "thumbnails"}, photograph=photograph
        )
        first = self.view.run.models.first
        (pixels,) = encode([photograph], first)
        if pixels.size <= WHOLE:
            content = map_content(pixels, self.view.settings.max_tile)
            content["names"] = first.contract.preprocessing.channel_names
            data = {"kind": "input"}
            yield self.view.data_file(f"{folder}/{INPUT}.js", content, data=data, photograph=photograph)

    def thumbnail(self, layer: Layer, maps: np.ndarray) -> dict[str, dict[str, Any]]:
        """Return the thumbnail of a layer by its key; nothing if the page does not show the layer."""
        if layer.path not in self._shown or maps.ndim == 1:
            return {}
        return {self.view.run.page_layers.keys[layer.path]: thumbnail(maps)}
