"""The activations view of stage 3: the feature maps of chosen layers, photograph by photograph."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from convscope.app.visualize import animations, map_arrays
from convscope.app.visualize.activation_summary import TABLE
from convscope.app.visualize.file_names import FileNames
from convscope.app.visualize.layer_pictures import LayerPictures
from convscope.config.schema.activations import ActivationsConfig, Normalize, Statistics
from convscope.data.pipeline import Batches, LabelledImages
from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render.artifact import DataFile, View
from convscope.render.page import PhotographViews
from convscope.vis.channel_statistics import FEWEST, channel_statistics
from convscope.vis.extractor import Extractor, before_and_after, in_groups
from convscope.vis.layer_selection import select, with_maps

MOST_BYTES = 512 * 2**20  # of maps in memory at once
Save = Callable[[Mapping[str, np.ndarray]], None]
LOOKED_AT = 8  # pictures in memory at once, with the maps of all layers


class ActivationDrawing:
    """Draws the layers that are asked for, batch by batch of photographs, into the run directory.

    Layers are checked when it is made; it raises ConvscopeError then.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        layers: Sequence[Layer],
        config: ActivationsConfig,
        *,
        directory: Path,
        file_names: FileNames,
    ):
        self.bundle, self.config, self.directory, self.file_names = bundle, config, directory, file_names
        animations.check(config.animate)
        self.shown = _layers_to_show(layers, config.layers)
        if config.before_activation:
            self.shown = [each for layer in self.shown for each in before_and_after(layer)]
        size = bundle.contract.input_size
        groups = in_groups(self.shown, pictures=config.batch, size=size, limit=MOST_BYTES)
        self.extractors = [Extractor(bundle.model, group) for group in groups]
        self.pictures = LayerPictures(bundle, self.shown, config, directory=directory, file_names=file_names)
        self.layers = layers
        self.tables: list[DataFile] = []
        self.photographs: dict[str, str] = {}  # the hash of each by its key

    @property
    def needs_statistics(self) -> bool:
        """Whether `look_over` must come first."""
        split = self.config.statistics is Statistics.split
        return split or self.config.normalize is Normalize.dataset

    def look_over(self, examples: LabelledImages) -> None:
        """Find over many pictures which channels are dead, and how strong strong responses are."""
        contract = self.bundle.contract
        batches = Batches(
            examples,
            size=contract.input_size,
            preprocessing=contract.preprocessing,
            batch_size=LOOKED_AT,
        )
        steps = progress(range(len(batches)), desc="statistics", unit="batch", leave=False)
        self.pictures.statistics = channel_statistics(
            self.bundle.model, self.layers, self.shown, (batches[step][0] for step in steps)
        )
        if self.config.statistics is Statistics.split and len(examples.paths) < FEWEST:
            print(
                f"note: no channel is called dead over {len(examples.paths)} pictures: expected "
                f"{FEWEST:,} or more in splits"
            )

    def draw(
        self, photographs: Sequence[PhotographViews], inputs: np.ndarray, provenance: Sequence[dict[str, str]]
    ) -> Iterator[None]:
        """Write the layers' pictures for a batch of photographs and put them into `photographs`.

        A forward pass each for as many layers as memory allows. Yields when a photograph is complete.

        Args:
            photographs: `key` is their folder in the run.
            inputs: the preprocessed photographs, float32 (batch, height, width, channels).
            provenance: which photograph it is, of each.

        Raises:
            ConvscopeError: a layer puts out values that are not finite, or float16 cannot hold them.
        """
        for each, about in zip(photographs, provenance, strict=True):
            self.photographs[each.key] = about["photograph_sha256"]
        drawn: list[list[list[View]]] = [[] for _ in photographs]  # of each photograph, of each layer
        with ExitStack() as files:
            saves = [
                files.enter_context(self._saving(about, each.key))
                for each, about in zip(photographs, provenance, strict=True)
            ]
            for extract in self.extractors:
                found = extract(inputs)
                for place, each in enumerate(photographs):
                    maps = {path: values[place] for path, values in found.items()}
                    saves[place](maps)
                    done: dict[str, list[View]] = {}
                    try:
                        self._of_layers(each.key, extract.layers, maps, provenance[place], done)
                    finally:  # after Ctrl-C, what was written until then
                        ordered = [done[layer.path] for layer in extract.layers if done.get(layer.path)]
                        drawn[place] += ordered
                        each.activations += [views[0] for views in ordered]
                        each.channels += [view for views in ordered for view in views[1:]]
                    if extract is self.extractors[-1]:
                        each.animations += animations.of_activations(
                            self.directory, each.key, drawn[place], self.config, self.file_names
                        )
                        yield
                del found, maps  # before there are others

    def _of_layers(
        self,
        key: str,
        layers: Sequence[Layer],
        maps: dict[str, np.ndarray],
        provenance: dict[str, str],
        done: dict[str, list[View]],
    ) -> None:
        """Put into `done`, for each layer, its picture, followed by those of its channels."""

        def draw(layer: Layer) -> None:
            drawn = done.setdefault(layer.path, [])
            for view in self.pictures.draw(key, layer, maps[layer.path], provenance):
                drawn.append(view)

        list(in_threads(draw, [layer for layer in layers if not layer.has_units]))
        for layer in layers:
            if layer.has_units:  # Matplotlib's, which one thread at a time may use
                draw(layer)

    @contextmanager
    def _saving(self, photograph: dict[str, str], key: str) -> Iterator[Save]:
        """What saves maps of a photograph by layer, if that is asked for."""
        kind = self.config.save_arrays
        if kind is None:
            yield lambda maps: None
            return
        path = f"activations/{key}/maps.npz"
        with map_arrays.saving(self.directory / path, str(kind)) as save:
            yield save
        layers = [layer.path for layer in self.shown]
        about = {"view": "arrays", "layers": layers, "type": str(kind), "model_sha256": self.bundle.sha256}
        self.tables.append(DataFile(path, {**about, **photograph}))

    def finish(self) -> list[View]:
        """Write what was seen of all photographs; returns the charts."""
        about = {"model_sha256": self.bundle.sha256, "photographs": self.photographs}
        charts = self.pictures.summary.write(self.directory, self.pictures.statistics, about)
        self.tables += [DataFile(TABLE, {"view": "summary", **about})] * bool(charts)
        return charts


def _layers_to_show(layers: Sequence[Layer], patterns: Sequence[str]) -> list[Layer]:
    """The layers that are drawn: those of the patterns, or every convolution, pooling and dense layer."""
    if not patterns:
        chosen = {layer.index for layer in with_maps(layers)}
        return [layer for layer in layers if layer.index in chosen or layer.has_units]
    result = select(layers, patterns, drawable=True)
    if not result:
        raise ConvscopeError(
            f"activations.layers=[{','.join(patterns)}] has neither feature maps nor units to draw: expected "
            "convolutions, poolings or dense layers"
        )
    for layer in result:
        if not layer.has_maps and not layer.has_units:
            raise ConvscopeError(
                f"layer {layer.path} ({layer.kind}) has no feature maps, its output is {layer.shape}: "
                "choose convolutions, poolings or dense layers in activations.layers"
            )
    return result
