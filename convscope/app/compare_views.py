"""The pictures of `compare=`: maps, class activation, patterns, kernels, a column a model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from convscope import decode, images, names
from convscope.app.compare_summary import Summary
from convscope.app.compared import Compared
from convscope.app.filters import KERNEL_SIDE, choose_layers
from convscope.app.photographs import Photograph, layer_to_explain
from convscope.config import Normalize, VisualizeConfig
from convscope.config import View as Kind
from convscope.data.pipeline import encode_photographs
from convscope.errors import ConvscopeError, unknown
from convscope.graph import Layer, probabilities_of
from convscope.progress import progress
from convscope.render import mosaic
from convscope.render.levels import on_one_scale, standardize
from convscope.render.mosaic import Scale, Tiles
from convscope.render.strip import Strip, strip_sheet
from convscope.render.view import View, write_view
from convscope.vis.activations import Extractor
from convscope.vis.ascent import maximize_filters
from convscope.vis.class_activation import GradCam
from convscope.vis.kernels import first_kernels, kernel_pictures
from convscope.vis.layers import select, with_maps

WIDEST = 1400  # pixels of a sheet on which blocks of channels lie side by side
_PHOTOGRAPH = 300  # of a photograph's longer side


class ComparisonDrawing:
    """Draws several models side by side into the run directory.

    All models are in memory, and the maps of one photograph at a time. Layers, classes and colour maps are
    checked when it is made; it raises ConvscopeError then.
    """

    def __init__(self, models: Sequence[Compared], config: VisualizeConfig, directory: Path):
        self.models, self.config, self.directory = models, config, directory
        self.summary = Summary(models)
        self.shown: list[list[Layer]] = []  # of each model
        self.extractors: list[Extractor] = []
        self.grad_cams: list[GradCam] = []
        self.patterns: list[list[Layer]] = []
        self.digits = max(2, len(str(len(self._layers) - 1)))
        for name in (config.activations.color_map, config.class_activation.color_map):
            if name not in matplotlib.colormaps:
                raise unknown("colour map", name, matplotlib.colormaps)
        if Kind.activations in config.views:
            chosen = _layers_to_show(self._layers, config.activations.layers)
            self.shown = self._same(chosen, "activations.layers")
            self.extractors = [
                Extractor(each.bundle.model, own) for each, own in zip(models, self.shown, strict=True)
            ]
        if Kind.class_activation in config.views:
            _check_classes(models, config.class_activation.class_name)
            self.explained = layer_to_explain(self._layers, config.class_activation.layer)
            same = self._same([self.explained], "class_activation.layer")
            self.grad_cams = [
                GradCam(each.bundle.model, own) for each, (own,) in zip(models, same, strict=True)
            ]
        if Kind.filters in config.views:
            chosen = choose_layers(config.filters.layers, self._layers, "filters.layers")
            self.patterns = self._same(chosen, "filters.layers")
            kernels = first_kernels(self._layers)
            self.kernels = self._same([kernels], "filters.layers") if kernels else None

    @property
    def provenance(self) -> dict[str, Any]:
        """Which models they are."""
        return {
            "models": [each.title for each in self.models],
            "model_sha256": [each.bundle.sha256 for each in self.models],
        }

    def draw(self, photograph: Photograph) -> Iterator[View]:
        """Write what is drawn of a photograph into `compare/PHOTOGRAPH/`; yields each view as it is written.

        Raises:
            ConvscopeError: a layer puts out values that are not finite.
        """
        pixels = decode.load(photograph.path)
        inputs = []
        for each in self.models:
            contract = each.bundle.contract
            inputs.append(encode_photographs([pixels], contract.input_size, contract.preprocessing))
        small = images.fit_within(pixels, _PHOTOGRAPH)
        if self.grad_cams:
            yield self._class_activation(photograph, small, inputs)
        else:
            yield self._photograph(photograph, small)
        found = [extract(each) for extract, each in zip(self.extractors, inputs, strict=False)]
        for same in zip(*self.shown, strict=True):
            maps = np.stack([of_model[own.path][0] for of_model, own in zip(found, same, strict=True)])
            self.summary.add(same[0].path, list(maps))
            yield self._maps(photograph, same[0], maps)

    def draw_patterns(self) -> Iterator[View]:
        """Write kernels and patterns into `compare/filters/`; yields each view as it is written."""
        if self.kernels:
            yield self._kernels([own for (own,) in self.kernels])
        layers = list(zip(*self.patterns, strict=True))
        counts = [self._count(same[0], self.config.filters.limit) for same in layers]
        steps = self.config.filters.steps * len(self.models)
        with progress(total=sum(counts) * steps, desc="filters", unit="step") as bar:
            for same, count in zip(layers, counts, strict=True):
                bar.set_description(f"filters of {same[0].path}")
                yield self._patterns(same, count, bar.update)

    @property
    def _layers(self) -> list[Layer]:
        return self.models[0].bundle.layers

    def _same(self, layers: Sequence[Layer], key: str) -> list[list[Layer]]:
        """The layers of the first model in each of the models."""
        return [each.same(layers, self.models[0], key) for each in self.models]

    def _count(self, layer: Layer, limit: int = 0) -> int:
        """How many channels of a layer are drawn."""
        limits = [each for each in (limit, self.config.comparison.channels, layer.channels) if each]
        return min(limits)

    def _maps(self, photograph: Photograph, layer: Layer, maps: np.ndarray) -> View:
        """A layer's first channels, float (models, height, width, channels)."""
        count = self._count(layer)
        maps = maps[..., :count]
        low, high = float(maps.min()), float(maps.max())
        own = self.config.comparison.normalize is Normalize.channel
        levels = [standardize(each) if own else on_one_scale(each, low, high) for each in maps]
        color_map, max_tile = self.config.activations.color_map, self.config.activations.max_tile
        order = np.arange(count)
        tiles = [
            mosaic.map_tiles(each, order=order, max_tile=max_tile, color_map=color_map) for each in levels
        ]
        said = f"{layer.kind}, {'×'.join(map(str, layer.shape))}"
        if count < layer.channels:
            said += f", the first {count} channels"
        titles = [
            f"{title}\n" + f"{each.min():.2g} to {each.max():.2g}".replace("-", "−")
            for title, each in zip(self._titles, maps, strict=True)
        ]
        meaning = f"all models and channels on one scale, {low:.3g} to {high:.3g}"
        if own:
            meaning = "each map on its own scale, its mean ± 2 σ"
        return self._strip(
            f"{photograph.key}/{layer.index:0{self.digits}d}_{names.file_name(layer.path)}.png",
            Strip(tiles, titles, layer.path, f"{said}, {meaning}", Scale(color_map, levels[0].labels)),
            {
                "layer": layer.path,
                "channels": count,
                "value_range": [low, high],
                "value_range_of_models": [[float(each.min()), float(each.max())] for each in maps],
                "silent": [int(each.silent.sum()) for each in levels],
                "color_map": color_map,
                "normalize": meaning,
                **photograph.provenance,
            },
        )

    def _class_activation(
        self, photograph: Photograph, small: np.ndarray, inputs: Sequence[np.ndarray]
    ) -> View:
        scores = [
            dict(
                zip(
                    each.bundle.contract.class_names,
                    probabilities_of(each.bundle.model, own)[0],
                    strict=True,
                )
            )
            for each, own in zip(self.models, inputs, strict=True)
        ]
        last = scores[-1]
        label = self.config.class_activation.class_name or max(last, key=lambda name: last[name])
        found = [
            grad_cam(own, each.bundle.contract.class_names.index(label))
            for grad_cam, each, own in zip(self.grad_cams, self.models, inputs, strict=True)
        ]
        strongest = [float(each.heat.max()) for each in found]
        highest = max(strongest)
        color_map = self.config.class_activation.color_map
        shares = [each.heat / (highest or 1) for each in found]
        heats = [images.stretch(share, *small.shape[:2]) for share in shares]
        pictures = [small, *(images.overlay(small, heat, color_map) for heat in heats)]
        notes = [
            f"{title}\n{100 * score[label]:.1f} %, up to {value:.3g}"
            for title, score, value in zip(self._titles, scores, strongest, strict=True)
        ]
        scale = Scale(color_map, ("0", f"{highest / 2:.3g}", f"{highest:.3g}"))
        how = "chosen" if self.config.class_activation.class_name else f"predicted by {self._titles[-1]}"
        subtitle = (
            f"{label} ({how}): Grad-CAM at {self.explained.path}, all models on one scale; below each title "
            "the probability and the highest value"
        )
        tiles = [Tiles(each[None], np.zeros(1, bool), np.zeros(1, int)) for each in pictures]
        return self._strip(
            f"{photograph.key}/class_activation.png",
            Strip(tiles, ["photograph", *notes], "class activation", subtitle, scale),
            {
                "layer": self.explained.path,
                "class": label,
                "probability": [float(score[label]) for score in scores],
                "score": [each.score for each in found],
                "value_range": [0.0, highest],
                "highest": strongest,
                "color_map": color_map,
                "normalize": "all models on one scale",
                **photograph.provenance,
            },
            numbered=False,
        )

    def _patterns(self, same: Sequence[Layer], count: int, on_step: Any) -> View:
        settings = self.config.filters
        layer, size = same[0], min(settings.size, *self.models[0].bundle.contract.input_size)
        found = [
            maximize_filters(
                each.bundle.model,
                own,
                range(count),
                preprocessing=each.bundle.contract.preprocessing,
                size=size,
                steps=settings.steps,
                seed=self.config.seed,
                on_step=on_step,
            )
            for each, own in zip(self.models, same, strict=True)
        ]
        tiles = [Tiles(each.pictures, each.after <= 0, np.arange(count)) for each in found]
        subtitle = (
            f"{count} of {layer.channels} filters, {size}×{size}, {settings.steps} steps from the same noise"
        )
        return self._strip(
            f"filters/{names.file_name(layer.path)}.png",
            Strip(tiles, self._titles, layer.path, subtitle, None),
            {
                "layer": layer.path,
                "channels": count,
                "mean_response_before": [_rounded(each.before) for each in found],
                "mean_response_after": [_rounded(each.after) for each in found],
                "steps": settings.steps,
                "seed": self.config.seed,
            },
        )

    def _kernels(self, same: Sequence[Layer]) -> View:
        layer = same[0]
        count = self._count(layer)
        weights = [np.asarray(own.keras_layer.kernel)[..., :count] for own in same]
        end = max(float(np.abs(each).max()) for each in weights)
        tiles, largest = [], []
        for each, model in zip(weights, self.models, strict=True):
            order = model.bundle.contract.preprocessing.order
            pictures, own = kernel_pictures(each, order=order, end=end)
            factor = max(1, KERNEL_SIDE // max(pictures.shape[1:3]))
            pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
            tiles.append(Tiles(pictures, own == 0, np.arange(count)))
            largest.append(_rounded(own))
        height, width = weights[0].shape[:2]
        subtitle = (
            f"{count} of {layer.channels} kernels, {height}×{width}, all on one scale: grey is 0, the ends "
            f"are ±{end:.3g}"
        )
        title = f"kernels of {layer.path}"
        return self._strip(
            f"filters/kernels_{names.file_name(layer.path)}.png",
            Strip(tiles, self._titles, title, subtitle, None),
            {
                "layer": layer.path,
                "channels": count,
                "largest_weight": largest,
                "value_range": [-end, end],
                "normalize": "largest absolute weight of all models",
            },
        )

    def _photograph(self, photograph: Photograph, small: np.ndarray) -> View:
        return write_view(
            self.directory,
            f"photographs/{photograph.key}.jpg",
            small,
            title=photograph.path.name,
            caption="",
            provenance={"view": "photograph", **photograph.provenance},
        )

    @property
    def _titles(self) -> list[str]:
        return [each.title for each in self.models]

    def _strip(self, path: str, strip: Strip, about: dict[str, Any], *, numbered: bool = True) -> View:
        return write_view(
            self.directory,
            f"compare/{path}",
            strip_sheet(strip, widest=WIDEST, numbered=numbered),
            title=strip.title,
            caption=strip.subtitle,
            provenance={"view": "compare", **about, **self.provenance},
        )


def _layers_to_show(layers: Sequence[Layer], patterns: Sequence[str]) -> list[Layer]:
    """Those of the patterns that have feature maps, or every convolution and pooling."""
    found = select(layers, patterns) if patterns else with_maps(layers)
    chosen = [layer for layer in found if layer.has_maps]
    if not chosen:
        raise ConvscopeError(
            f"layer {found[0].path} ({found[0].kind}) has no feature maps, its output is {found[0].shape}: "
            "compare draws convolutions or poolings of activations.layers"
        )
    return chosen


def _check_classes(models: Sequence[Compared], wanted: str | None) -> None:
    """Raise ConvscopeError unless the class that is explained is one of every model's."""
    for each in models:
        classes = each.bundle.contract.class_names
        if wanted is not None and wanted not in classes:
            raise unknown(f"class of {each.title}", wanted, classes)
        if wanted is None and set(classes) != set(models[-1].bundle.contract.class_names):
            raise ConvscopeError(
                f"{each.title} and {models[-1].title} tell different classes apart: say one that all know in "
                "class_activation.class_name, or leave class_activation out of views"
            )


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
