"""Open any Keras classifier from Python: predictions, feature maps, strongest examples, statistics."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np

from convscope.api.channels import ChannelStudy, indices_of, study_of
from convscope.api.class_activation import Explainer, Explanation
from convscope.api.patterns import STEPS, AscentResult, LayerPatterns, ascended, patterns_of
from convscope.api.photographs import Photograph, Photographs, all_pixels, as_sequence, pixels_of
from convscope.data.pipeline import encode_photographs
from convscope.errors import ConvscopeError
from convscope.files import user_path
from convscope.graph import Layer, probabilities_of
from convscope.models.bundle import ModelBundle
from convscope.models.opening import bundle_of, open_checkpoint
from convscope.models.reading import Reading
from convscope.render import rows
from convscope.vis.ascent.maximize import Recipe
from convscope.vis.ascent.objectives import Measure, Objective
from convscope.vis.ascent.patterns import Settings
from convscope.vis.channel_statistics import ChannelStatistics, channel_statistics
from convscope.vis.channels.study import Reference
from convscope.vis.example_search import ExampleSearch
from convscope.vis.extractor import Extractor
from convscope.vis.layer_selection import select
from convscope.vis.layer_top import LayerTop, layer_tops, layers_to_search

_BATCH = 32
_SHOWN_CLASSES = 5  # in the summary of a model
_LONGEST = 72  # pixels of a crop's longer side


@dataclass(frozen=True)
class LayerExamples:
    """The k photographs with the highest values in each channel of a layer, the highest first.

    Attributes:
        value: float32 (channels, k), the maximum of the feature map.
        photograph: int64 (channels, k), the index of the photograph.
        crops: uint8 (channels, k, height, width, 3), the receptive field of the maximum; the whole photograph
            with an outline around the position if the field covers it.
        silent: bool (channels, k), whether the photograph does not excite the channel: the value is zero
            after a ReLU, or equal for all photographs.
        channels: int64 (channels,), the index of each channel.
    """

    value: np.ndarray
    photograph: np.ndarray
    crops: np.ndarray
    silent: np.ndarray
    channels: np.ndarray


@dataclass(frozen=True, repr=False)
class OpenModel:
    """An open model. `bundle` has its flat graph and its contract."""

    bundle: ModelBundle
    _explainers: dict[Any, Explainer] = field(default_factory=dict, init=False, compare=False)

    def __repr__(self) -> str:
        """Return a summary of the model in one line."""
        return f"<OpenModel {', '.join(f'{name} {value}' for name, value in self._summary().items())}>"

    def _repr_html_(self) -> str:
        """Return a summary of the model as an HTML table, for notebooks."""
        rows = (
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
            for name, value in self._summary().items()
        )
        return f"<table>{''.join(rows)}</table>"

    def _summary(self) -> dict[str, str]:
        contract, names = self.bundle.contract, self.class_names
        shown = names if len(names) <= _SHOWN_CLASSES else [*names[:_SHOWN_CLASSES], "…"]
        height, width = contract.input_size
        return {
            "model": contract.name,
            "from": self.bundle.path,
            "input": f"{height}×{width} pixels, preprocessing {contract.preprocessing.name}",
            "classes": f"{len(names)} ({', '.join(shown)})",
            "layers": f"{len(self.layers):,}",
            "parameters": f"{self.bundle.model.count_params():,}",
        }

    @property
    def layers(self) -> list[Layer]:
        """All layers, also those of inner models, in topological order."""
        return self.bundle.layers

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of the outputs."""
        return self.bundle.contract.class_names

    def encode(self, photographs: Photographs) -> np.ndarray:
        """Return photographs as the input of the model, float32 (n, height, width, channels).

        Args:
            photographs: one photograph or several, of any size: paths, uint8 arrays (height, width, 3) in
                RGB, or images of Pillow.

        Raises:
            ConvscopeError: there are no photographs, a file cannot be read, or an array is not a picture.
        """
        return self._encode(all_pixels(photographs))

    def predict(self, photographs: Photographs) -> np.ndarray:
        """Return the probability of each class, float64 (n, classes), 0 to 1; see `encode`."""
        return probabilities_of(self.bundle.model, self.encode(photographs))

    def activations(self, photographs: Photographs, layers: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the outputs of layers, from one forward pass.

        Args:
            photographs: see `encode`.
            layers: layer paths, globs, `type:Conv2D`, indices, slices, `last_conv` or `every:10`.

        Returns:
            float32 (n, height, width, channels), or (n, units), by layer path.

        Raises:
            ConvscopeError: no layer matches, or values are not finite.
        """
        selected = select(self.layers, layers)
        return Extractor(self.bundle.model, selected)(self.encode(photographs))

    def class_activation(
        self,
        photographs: Photographs,
        classes: str | Sequence[str] = "predicted",
        *,
        method: str | None = None,
        layer: str | Sequence[str] = (),
        flips: bool = False,
    ) -> list[Explanation]:
        """Return the evidence for classes in photographs; in a notebook, each result shows a figure.

        The first call with some settings runs operation by operation. Later calls with the same settings run
        as a graph; the second one is slow because it traces the graph.

        Args:
            photographs: see `encode`.
            classes: `predicted`, a class or its index, `top:3`, `all`, a difference such as
                `daisy-dandelion`, or several of these.
            method: a name in `convscope.CAM_METHODS`; None is Grad-CAM before global average pooling, else
                HiRes-CAM.
            layer: the layer whose feature maps are weighted, or several; see `activations`. If empty, the
                last one before the head.
            flips: whether to average with the heatmap of the mirrored photograph.

        Returns:
            for each photograph, one explanation for each class.

        Raises:
            ConvscopeError: a class, a layer or a method does not exist.
        """
        pixels = all_pixels(photographs)
        layers = (layer,) if isinstance(layer, str) else tuple(layer)
        settings = (method, layers, flips)
        if settings not in self._explainers:
            self._explainers[settings] = Explainer(self.bundle, *settings)
        choices = [classes] if isinstance(classes, str) else list(classes)
        return self._explainers[settings](pixels, self._encode(pixels), choices)

    def _encode(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        contract = self.bundle.contract
        return encode_photographs(pixels, contract.input_size, contract.preprocessing)

    def examples(
        self, photographs: Photographs, layers: Sequence[str] = (), *, top: int = 9, limit: int = 32
    ) -> dict[str, LayerExamples]:
        """Return the photographs with the highest values in each channel, by layer path.

        Args:
            photographs: see `encode`. They are processed in batches, so there can be any number of them.
            layers: see `activations`. If empty, four convolutions at equal steps of depth, after their
                activation.
            top: the number of photographs per channel, at least 1.
            limit: the number of channels per layer, the strongest ones; 0 returns all.

        Raises:
            ConvscopeError: no layer matches, a layer has no feature maps, values are not finite, or `top` or
                `limit` is out of range.
        """
        if top < 1 or limit < 0:
            raise ConvscopeError(f"top={top}, limit={limit}: expected top >= 1 and limit >= 0")
        photographs = as_sequence(photographs)
        selected = layers_to_search(self.layers, layers, "layers")
        search = ExampleSearch(self.bundle.model, selected, top=top)
        for batch in self._batches(photographs):
            search.add(batch)
        return {
            result.layer.path: self._with_crops(result, photographs)
            for result in layer_tops(search, self.layers, limit=limit)
        }

    def statistics(self, photographs: Photographs, layers: Sequence[str]) -> dict[str, ChannelStatistics]:
        """Return statistics of the channels over many photographs, by layer path.

        `high`, float (channels,), is the 99.5th percentile. `dead`, bool (channels,), marks the channels that
        are zero for all photographs; it is None for fewer than 1,000 photographs, or without a ReLU.

        Args:
            photographs: see `encode`.
            layers: see `activations`.

        Raises:
            ConvscopeError: no layer matches, or values are not finite.
        """
        selected = select(self.layers, layers, drawable=True)
        return channel_statistics(self.bundle.model, self.layers, selected, self._batches(photographs))

    def channels(
        self,
        layer: str,
        photographs: Photographs,
        labels: Sequence[str] | None = None,
        *,
        minutes: float = 1,
    ) -> ChannelStudy:
        """Return what the channels of a layer respond to, and what they do to the classes.

        Args:
            layer: a layer path, an index or `last_conv`. A convolution, its normalization and its activation
                are one layer.
            photographs: see `encode`. They are processed in batches.
            labels: the true class of each photograph; without them, no channel is removed.
            minutes: about the duration on two cores. What does not fit is left out: photographs, then the
                removal of the channels with the weakest push.

        Raises:
            ConvscopeError: `layer` is not one layer with feature maps, the labels do not fit, there are no
                photographs, or values are not finite.
        """
        photographs = as_sequence(photographs)
        if not len(photographs):
            raise ConvscopeError("no photographs: expected one or more")

        def batches(indices: np.ndarray) -> Iterator[np.ndarray]:
            return self._batches([photographs[index] for index in indices])

        classes = indices_of(labels, len(photographs), self.class_names)
        reference = Reference(len(photographs), classes, batches)
        return study_of(self.bundle, layer, reference, limit=len(photographs), minutes=minutes)

    def patterns(
        self,
        layers: str | Sequence[str],
        channels: Sequence[int] | None = None,
        *,
        method: str = "fourier",
        size: int | None = None,
        steps: int = STEPS,
        objective: Measure | None = None,
        seed: int = 0,
    ) -> dict[str, LayerPatterns]:
        """Return pictures that channels respond to, by layer path; in a notebook, each result shows them.

        Args:
            layers: a layer or several, see `activations`; "logits" is the output before softmax or sigmoid.
            channels: indices from 0, also of units or classes; None chooses 16 evenly spread ones.
            method: "fourier", "maco" (fixed magnitude spectrum, optimized phase) or "book" (Chollet's loop).
            size: width and height of the pictures in pixels, 16 to 1024; None is 128, at most the size of
                the model, and the size of the model for dense layers.
            steps: steps of gradient ascent.
            objective: what is raised of a channel, for example `convscope.ascent.At()`, the centre of the
                map; None is the measure of the method.
            seed: seed of the start.

        Raises:
            ConvscopeError: no layer matches, a layer has neither feature maps nor units, a channel or the
                method does not exist, or the size does not fit the layer.
        """
        patterns = [layers] if isinstance(layers, str) else layers
        settings = Settings(method, 0, steps, seed, measure=objective)
        return patterns_of(self.bundle, patterns, channels, settings, size=size)

    def ascend(
        self,
        objectives: Objective | Sequence[Objective],
        recipe: Recipe | None = None,
        *,
        seed: int = 0,
        frame_every: int = 0,
    ) -> AscentResult:
        """Return a picture for each objective that raises it; in a notebook, the result shows them.

        Args:
            objectives: one or several, from `convscope.ascent`. Those of one call differ in channels or
                directions only.
            recipe: how the pictures are changed; None is the recipe of `patterns`: a Fourier spectrum, NAdam
                and jitter.
            seed: seed of the start; each picture starts from other noise.
            frame_every: keep the pictures of every n-th step; 0 keeps none.

        Raises:
            ConvscopeError: a layer or a channel does not exist, the objectives are of different kinds, or the
                size of the recipe does not fit a layer.
        """
        several = [objectives] if isinstance(objectives, Objective) else list(objectives)
        return ascended(self.bundle, several, recipe, seed=seed, frame_every=frame_every)

    def _batches(self, photographs: Photographs) -> Iterator[np.ndarray]:
        photographs = as_sequence(photographs)
        for first in range(0, max(1, len(photographs)), _BATCH):
            yield self.encode(photographs[first : first + _BATCH])

    def _with_crops(self, result: LayerTop, photographs: Sequence[Photograph]) -> LayerExamples:
        top, input_size = result.top, self.bundle.contract.input_size
        size = result.tile_size(input_size, _LONGEST)
        crops = np.empty((*top.value.shape, *size, 3), np.uint8)
        for index in np.unique(top.example):
            pixels = pixels_of(photographs[index])
            for channel, rank in np.argwhere(top.example == index):
                window, mark = result.crop_window(channel, rank, input_size)
                crop = rows.example(pixels, window, mark, size=size, input_size=input_size)
                crops[channel, rank] = crop
        return LayerExamples(top.value, top.example, crops, result.silent, result.channels)


def open_model(source: str | Path | keras.Model, **options: Any) -> OpenModel:
    """Open a run directory of train.py, a `.keras`, `.h5` or `.hdf5` file, or a model in memory.

    A run directory already describes its model; it accepts only the option `allow_code`. For other models,
    the options are those of visualize.py.

    Args:
        source: the run directory, the file or the model. A model in memory is not changed.
        **options: `preprocessing`: unit_range, minus_one_to_one, caffe, torch, none, affine, or a
            `Preprocessing`. `scale`, `offset`: for affine, `pixels * scale + offset`, one number or one per
            channel. `class_names`: the class names in the order of the model's outputs, or `["imagenet"]`.
            `input_size`: height and width in pixels, if the model accepts any size. `input`, `output`: the
            names of the input for the picture and of the output for the classes, if there are several.
            `outputs`: "probabilities" or "logits", if the last layer has an unknown activation.
            `allow_code`: run the Lambda layers of a file, which are code of its author.

    Raises:
        ConvscopeError: the model cannot be opened, an option is missing or wrong, or it does not apply.
        TypeError: an option is unknown.
    """
    known = [field.name for field in fields(Reading)]
    for name in options:
        if name not in known:
            raise TypeError(f"open_model() has no option {name!r}: expected {', '.join(known)}")
    for name in {"scale", "offset", "class_names"} & set(options):
        options[name] = _as_list(options[name])
    reading = Reading(**options)
    if isinstance(source, keras.Model):
        return OpenModel(bundle_of(source, reading, path=source.name))
    return OpenModel(open_checkpoint(user_path(source), reading))


def _as_list(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | int | float) else list(value)
