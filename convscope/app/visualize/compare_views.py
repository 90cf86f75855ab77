"""What `compare=` draws of each photograph: maps and class activation, a column a model."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np

from convscope import decode, images, names
from convscope.app.visualize.compare_sheet import shown_of, write_strip
from convscope.app.visualize.compare_summary import Summary
from convscope.app.visualize.compared import Compared, Comparison
from convscope.app.visualize.photographs import Photograph, layer_to_explain
from convscope.config.schema.activations import Normalize
from convscope.config.schema.visualize import View as Kind
from convscope.config.schema.visualize import VisualizeConfig
from convscope.data.pipeline import encode_photographs
from convscope.errors import ConvscopeError, unknown
from convscope.graph import Layer, probabilities_of
from convscope.render import mosaic
from convscope.render.artifact import View, write_view
from convscope.render.levels import on_one_scale, standardize
from convscope.render.mosaic import Scale, Tiles
from convscope.render.strip import Strip
from convscope.vis.extractor import Extractor
from convscope.vis.grad_cam import GradCam
from convscope.vis.layer_selection import select, with_maps

_PHOTOGRAPH = 300  # of a photograph's longer side


class PhotographComparison:
    """Draws what several models make of photographs into the run directory.

    All models are in memory, and the maps of one photograph at a time. Layers, classes and colour maps are
    checked when it is made; it raises ConvscopeError then.
    """

    def __init__(self, models: Comparison, config: VisualizeConfig, directory: Path):
        self.models, self.config, self.directory = models, config, directory
        self.summary = Summary(models.all)
        self.shown: list[list[Layer]] = []  # of each model
        self.extractors: list[Extractor] = []
        self.grad_cams: list[GradCam] = []
        self.digits = max(2, len(str(len(models.layers) - 1)))
        for name in (config.activations.color_map, config.class_activation.color_map):
            if name not in matplotlib.colormaps:
                raise unknown("colour map", name, matplotlib.colormaps)
        if Kind.activations in config.views:
            chosen = _layers_to_show(self.models.layers, config.activations.layers)
            self.shown = self.models.same(chosen, "activations.layers")
            self.extractors = [
                Extractor(each.bundle.model, own) for each, own in zip(models.all, self.shown, strict=True)
            ]
        if Kind.class_activation in config.views:
            _check_classes(models.all, config.class_activation.class_name)
            self.explained = layer_to_explain(self.models.layers, config.class_activation.layer)
            same = self.models.same([self.explained], "class_activation.layer")
            self.grad_cams = [
                GradCam(each.bundle.model, own) for each, (own,) in zip(models.all, same, strict=True)
            ]

    def draw(self, photograph: Photograph) -> Iterator[View]:
        """Write what is drawn of a photograph into `compare/PHOTOGRAPH/`; yields each view as it is written.

        Raises:
            ConvscopeError: a layer puts out values that are not finite.
        """
        pixels = decode.load(photograph.path)
        inputs = []
        for each in self.models.all:
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

    def _maps(self, photograph: Photograph, layer: Layer, maps: np.ndarray) -> View:
        """A layer's first channels, float (models, height, width, channels)."""
        count = shown_of(layer, self.config)
        maps = maps[..., :count]
        low, high = float(maps.min()), float(maps.max())
        single = maps.shape[1:3] == (1, 1)  # has no spread of its own
        own = self.config.comparison.normalize is Normalize.channel and not single
        levels = [standardize(each) if own else on_one_scale(each, low, high) for each in maps]
        color_map, max_tile = self.config.activations.color_map, self.config.activations.max_tile
        layout = mosaic.Layout(max_tile)
        tiles = [mosaic.map_tiles(each, layout=layout) for each in levels]
        said = f"{layer.kind}, {'×'.join(map(str, layer.shape))}"
        if count < layer.channels:
            said += f", the first {count} channels"
        titles = [
            f"{title}\n" + f"{each.min():.2g} to {each.max():.2g}".replace("-", "−")
            for title, each in zip(self.models.titles, maps, strict=True)
        ]
        meaning = f"all models and channels on one scale, {low:.3g} to {high:.3g}"
        if own:
            meaning = "each map on its own scale, its mean ± 2 σ"
        return write_strip(
            self.models,
            self.directory,
            f"{photograph.key}/{layer.index:0{self.digits}d}_{names.file_name(layer.path)}.png",
            Strip(tiles, titles, layer.path, f"{said}, {meaning}", Scale(color_map, levels[0].labels)),
            {
                "layer": layer.path,
                "channels": [0, count - 1],
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
        scores = [_scores(each, own) for each, own in zip(self.models.all, inputs, strict=True)]
        last = scores[-1]
        label = self.config.class_activation.class_name or max(last, key=lambda name: last[name])
        found = [
            grad_cam(own, each.bundle.contract.class_names.index(label))
            for grad_cam, each, own in zip(self.grad_cams, self.models.all, inputs, strict=True)
        ]
        strongest = [float(each.heat.max()) for each in found]
        highest = max(strongest)
        color_map = self.config.class_activation.color_map
        shares = [each.heat / (highest or 1) for each in found]
        heats = [images.stretch(share, *small.shape[:2]) for share in shares]
        pictures = [small, *(images.overlay(small, heat, color_map) for heat in heats)]
        notes = [
            f"{title}\n{100 * score[label]:.1f} %, up to {value:.3g}"
            for title, score, value in zip(self.models.titles, scores, strongest, strict=True)
        ]
        scale = Scale(color_map, ("0", f"{highest / 2:.3g}", f"{highest:.3g}"))
        chosen = self.config.class_activation.class_name is not None
        how = "chosen" if chosen else f"predicted by {self.models.titles[-1]}"
        subtitle = (
            f"{label} ({how}): Grad-CAM at {self.explained.path}, all models on one scale; below each title "
            "the probability and the highest value"
        )
        tiles = [Tiles(each[None], np.zeros(1, bool), np.zeros(1, int)) for each in pictures]
        return write_strip(
            self.models,
            self.directory,
            f"{photograph.key}/class_activation.png",
            Strip(tiles, ["photograph", *notes], "class activation", subtitle, scale),
            {
                "layer": self.explained.path,
                "class": label,
                "probability": [score[label] for score in scores],
                "score": [each.score for each in found],
                "value_range": [0.0, highest],
                "highest": strongest,
                "color_map": color_map,
                "normalize": "all models on one scale",
                **photograph.provenance,
            },
            numbered=False,
        )

    def _photograph(self, photograph: Photograph, small: np.ndarray) -> View:
        return write_view(
            self.directory,
            f"photographs/{photograph.key}.jpg",
            small,
            title=photograph.name,
            caption="",
            provenance={"view": "photograph", **photograph.provenance},
        )


def _scores(model: Compared, inputs: np.ndarray) -> dict[str, float]:
    """The probability of each class."""
    found = map(float, probabilities_of(model.bundle.model, inputs)[0])
    return dict(zip(model.bundle.contract.class_names, found, strict=True))


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
