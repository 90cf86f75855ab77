"""The channels view: a study of the channels of each layer, and crops of their examples."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from convscope import names
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views.channels import content
from convscope.app.visualize.views.channels.crops import Crops, crops, left_out
from convscope.config.schema.views.channels import ChannelsConfig
from convscope.data.manifest import SPLITS
from convscope.data.pipeline import Batches
from convscope.errors import ConvscopeError
from convscope.progress import progress
from convscope.render.artifact import Artifact, Role
from convscope.render.sprite import sprite
from convscope.vis.channels.study import Reference, Study, layers_to_study, study

INDEX, TABLE = "channels/index", "channels/channels.csv"
_BATCH = 32


class ChannelsView(View[ChannelsConfig]):
    """Studies the channels on the reference images, then writes the data of each layer."""

    def __init__(self, run: Run, settings: ChannelsConfig) -> None:
        """Check the layers, and open the reference images.

        Raises:
            ConvscopeError: a layer has no feature maps, or there is no convolution or no image.
        """
        super().__init__(run, settings)
        self.bundle = run.models.first
        self.layers = layers_to_study(self.bundle.layers, settings.layers, "channels.layers")
        if not self.layers:
            raise ConvscopeError("channels: the model has no convolution; expected a convolutional network")
        self.images = run.reference_images

    def draw(self) -> Iterator[Artifact]:
        """Yield what all layers share, the table, then data and crops of each layer."""
        result = self._study()
        print(f"channels: {' '.join(result.left_out) or 'nothing was left out.'}")
        classes = self.bundle.contract.class_names
        paths = [names.printable(str(self.images.paths[index])) for index in result.images]
        about = {"splits": list(self.run.config.splits), "photographs": len(result.images)}
        shared = content.index_content(result, classes, paths, self._key)
        shown = {"kind": "channel_index"}
        yield self.data_file(f"{INDEX}.js", shared, data=shown, about=about)
        yield self.table(TABLE, content.COLUMNS, content.table_rows(result, classes), about=about)
        size = self.bundle.contract.input_size
        drawn = crops(result.layers, self.bundle.layers, self.images.at(result.images), size)
        for of_layer in progress(drawn, desc="drawing channels", unit="layer", total=len(result.layers)):
            yield from self._of_layer(result, of_layer, about | {"layer": of_layer.layer.layer.path})

    def _key(self, index: int) -> str:
        return self.index_of(self.bundle.layers[index])

    def _study(self) -> Study:
        bundle, settings = self.bundle, self.settings
        reference = Reference(len(self.images.paths), self._labels(), self._batches)
        result = study(
            bundle.model,
            bundle.layers,
            self.layers,
            reference,
            limit=settings.limit,
            minutes=settings.minutes,
        )
        return replace(result, left_out=[*result.left_out, *left_out(result.layers)])

    def _labels(self) -> np.ndarray | None:
        """Return the true class of each image, or None if it is not known."""
        classes = self.bundle.contract.class_names
        known = set(self.run.config.splits) <= set(SPLITS) and set(self.images.classes) == set(classes)
        if not known:
            return None
        return np.array([classes.index(name) for name in self.images.classes])[self.images.labels]

    def _batches(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        contract = self.bundle.contract
        batches = Batches(
            self.images.at(indices),
            size=contract.input_size,
            preprocessing=contract.preprocessing,
            batch_size=_BATCH,
        )
        for step in progress(range(len(batches)), desc="channels", unit="batch"):
            yield batches[step][0]

    def _of_layer(self, result: Study, drawn: Crops, about: dict) -> Iterator[Artifact]:
        """Yield the picture of the crops, if there is one, and the numbers of a layer."""
        layer = drawn.layer
        key = f"channels/{self._key(layer.layer.output.index)}"
        count = drawn.pixels.shape[1]  # examples of a channel
        tiles = {int(channel): row * count for row, channel in enumerate(drawn.channels)}
        data = content.layer_content(result, layer, self._key, tiles)
        if tiles:
            pixels = drawn.pixels
            sheet, columns = sprite(pixels.reshape(-1, *pixels.shape[2:]), count)
            data["sprite"] = {"file": f"{key}.jpg", "tile": list(pixels.shape[2:4]), "columns": columns}
            caption = f"{count} examples of each of {len(tiles)} channels"
            path = layer.layer.path
            yield self.picture(f"{key}.jpg", sheet, title=path, caption=caption, role=Role.file, about=about)
        shown = {
            "kind": "channels",
            "layer": data["key"],
            "dead": data["dead"],
            "enough": content.enough_images(result),
            "images": about["photographs"],
        }
        yield self.data_file(f"{key}.js", data, data=shown, about=about)
