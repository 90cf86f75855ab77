"""The class activation view: the positions of a photograph that are evidence for a class."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from convscope import images, names
from convscope.app.visualize.photographs import Photograph, encode
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views.strips import strip_picture
from convscope.config.schema.views import ClassActivationConfig
from convscope.errors import ConvscopeError, unknown
from convscope.graph import Layer
from convscope.models.states import ModelState
from convscope.render.artifact import Artifact, Role
from convscope.render.mosaic import Scale, Tiles
from convscope.render.strip import Strip
from convscope.vis.class_activation.methods import METHODS, ClassActivation, Heatmap, relative
from convscope.vis.class_activation.targets import of_class
from convscope.vis.layer_selection import last_maps, select, without_maps

_SIDE = 300  # pixels of the longer side of a photograph on a sheet of several models
_KEY = "class_activation.layer"


class ClassActivationView(View[ClassActivationConfig]):
    """Draws class activation: overlay and heatmap of one model, or a sheet with several models."""

    def __init__(self, run: Run, settings: ClassActivationConfig) -> None:
        """Check layer and class; raise ConvscopeError if a model does not have them."""
        super().__init__(run, settings)
        _check_classes(run.models[:], settings.class_name)
        self.layer = _layer_to_explain(run.models.first.layers, settings.layer)
        matches = run.models.counterparts([self.layer], _KEY)
        if settings.method not in METHODS:
            raise unknown("class_activation.method", settings.method, METHODS)
        self._activations = [
            ClassActivation(state.bundle.model, match, settings.method, seed=run.config.seed)
            for state, match in zip(run.models, matches, strict=True)
        ]
        self.photographs = run.photographs
        classes = run.models.last.contract.class_names  # some may differ only in case
        self.class_files = dict(zip(classes, names.unique(map(names.file_name, classes)), strict=True))

    def draw(self) -> Iterator[Artifact]:
        """Yield the pictures of each photograph."""
        for photograph in self.photographs:
            scores = [self.run.probabilities(photograph, state.bundle) for state in self.run.models]
            if len(scores) == 1:
                for label, role in self._classes(scores[0], photograph.truth).items():
                    yield from self._single(photograph, label, role)
            else:
                yield self._side_by_side(photograph, scores)

    @property
    def _method(self) -> str:
        """The name of the method, for captions."""
        return METHODS[self.settings.method].title

    def _classes(self, scores: dict[str, float], truth: str | None) -> dict[str, str]:
        """Return the class to explain and its role: the chosen one, or the predicted and the true one."""
        if self.settings.class_name is not None:
            return {self.settings.class_name: "chosen"}
        predicted = max(scores, key=lambda name: scores[name])
        classes = {predicted: "predicted"}
        if truth in scores and truth != predicted:
            classes[str(truth)] = "true"
        return classes

    def _heats(self, photograph: Photograph, label: str) -> list[Heatmap]:
        """Return the class activation of each model."""
        heats = []
        for state, activation in zip(self.run.models, self._activations, strict=True):
            index = state.bundle.contract.class_names.index(label)
            target = of_class(index, state.bundle.model.output_shape[-1])
            heats += activation(encode([photograph], state.bundle), target[None])
        return heats

    def _single(self, photograph: Photograph, label: str, role: str) -> Iterator[Artifact]:
        """Yield the heatmap on top of the photograph, and the heatmap alone."""
        (activation,) = self._heats(photograph, label)
        small, color_map = photograph.small, self.settings.color_map
        heat = images.stretch(relative(activation.heat), *small.shape[:2])
        strongest = float(activation.heat.max())
        height, width = activation.heat.shape
        caption = (
            f"{self._method} at {self.layer.path}, {height}×{width} positions; logit {activation.score:.2f}. "
        )
        if strongest > 0:
            caption += f"Maximum: {strongest:.3g} (logit)."
        else:
            caption += "No positive evidence for this class: the map is zero."
        about = self._about(label, "own maximum", strongest) | {"score": activation.score}
        pictures = {
            "overlay_file": images.overlay(small, heat, color_map),
            "heatmap_file": images.colorize(np.round(heat * 255).astype(np.uint8), color_map),
        }
        fields = {"photograph": photograph.key, "class": self.class_files[label]}
        paths = [self.file_name(option, **fields) for option in pictures]  # check both before writing one
        for path, pixels, shown in zip(paths, pictures.values(), (Role.overlay, Role.link), strict=True):
            yield self.picture(
                path,
                pixels,
                title=f"{role}: {label}",
                caption=caption,
                photograph=photograph,
                role=shown,
                about=about,
            )

    def _side_by_side(self, photograph: Photograph, scores: Sequence[dict[str, float]]) -> Artifact:
        """Return a sheet with the photograph and the overlay of each model, all heatmaps on one scale."""
        last, titles = scores[-1], self.run.models.titles
        label = self.settings.class_name or max(last, key=lambda name: last[name])
        activations = self._heats(photograph, label)
        strongest = [float(activation.heat.max()) for activation in activations]
        highest = max(strongest)
        color_map, small = self.settings.color_map, photograph.fit(_SIDE)
        heats = [
            images.stretch(activation.heat / (highest or 1), *small.shape[:2]) for activation in activations
        ]
        pictures = [small, *(images.overlay(small, heat, color_map) for heat in heats)]
        columns = [
            f"{title}\n{100 * score[label]:.1f} %, up to {value:.3g}"
            for title, score, value in zip(titles, scores, strongest, strict=True)
        ]
        how = "chosen" if self.settings.class_name else f"predicted by {titles[-1]}"
        subtitle = (
            f"{label} ({how}): {self._method} at {self.layer.path}, all models on one scale. Below each "
            "title: probability and maximum of the map"
        )
        tiles = [Tiles(pixels[None], np.zeros(1, bool), np.zeros(1, int)) for pixels in pictures]
        scale = Scale(color_map, ("0", f"{highest / 2:.3g}", f"{highest:.3g}"))
        strip = Strip(tiles, ["photograph", *columns], "class activation", subtitle, scale)
        about = self._about(label, "all models on one scale", highest) | {
            "probability": [score[label] for score in scores],
            "score": [activation.score for activation in activations],
            "highest": strongest,
        }
        fields = {"photograph": photograph.key, "class": self.class_files[label]}
        path = self.file_name("overlay_file", **fields)
        return strip_picture(self, path, strip, photograph, about, numbered=False)

    def _about(self, label: str, normalize: str, highest: float) -> dict[str, Any]:
        return {
            "method": self.settings.method,
            "layer": self.layer.path,
            "class": label,
            "value_range": [0.0, highest],
            "color_map": self.settings.color_map,
            "normalize": normalize,
        }


def _layer_to_explain(layers: Sequence[Layer], name: str | None) -> Layer:
    """Return the layer to explain; raise ConvscopeError unless `name` is one layer with feature maps."""
    last = last_maps(layers)
    selected = select(layers, [name]) if name else [last]
    if len(selected) > 1:
        raise ConvscopeError(
            f"class_activation.layer={name} selects {len(selected)} layers: expected one, for example "
            f"{last.path}"
        )
    layer = selected[0]
    if not layer.has_maps:
        raise without_maps(layer, f"set class_activation.layer to a convolution, for example {last.path}")
    return layer


def _check_classes(states: Sequence[ModelState], class_name: str | None) -> None:
    """Raise ConvscopeError unless the class to explain is a class of every model."""
    for state in states:
        classes = state.bundle.contract.class_names
        if class_name is not None and class_name not in classes:
            raise unknown("class" if len(states) == 1 else f"class of {state.title}", class_name, classes)
        if class_name is None and set(classes) != set(states[-1].bundle.contract.class_names):
            raise ConvscopeError(
                f"{state.title} and {states[-1].title} have different classes: set "
                "class_activation.class_name to a class of both, or remove class_activation from views"
            )
