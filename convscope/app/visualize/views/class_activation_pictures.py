"""The pictures of one method of class activation: figure, overlay and heatmap, or a sheet of models."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from convscope import images
from convscope.app.visualize.photographs import LONGEST, Photograph, encode
from convscope.app.visualize.views.explaining import opened
from convscope.app.visualize.views.strips import strip_picture
from convscope.graph import Layer
from convscope.render.artifact import Artifact, Role
from convscope.render.heat import HeatScale
from convscope.render.heat_figure import HeatFigure
from convscope.render.mosaic import Scale, Tiles
from convscope.render.strip import Strip
from convscope.vis.class_activation.head_kind import is_averaged
from convscope.vis.class_activation.methods import METHODS, Heatmap, remark_on
from convscope.vis.class_activation.targets import Target

if TYPE_CHECKING:
    from convscope.app.visualize.views.class_activation import ClassActivationView

FILE_OPTIONS = ("overlay_file", "file", "heatmap_file", "array_file")
_SIDE = 300  # pixels of the longer side of a photograph on a sheet of several models


class MethodPictures:
    """Computes and draws the maps of one method for the models of a run."""

    def __init__(self, view: "ClassActivationView", name: str, layers: Sequence[Sequence[Layer]]) -> None:
        """Cut the models; `layers` are those that are explained in each model."""
        self.view, self.name, self.layers = view, name, layers[0]
        self.method = METHODS[name]
        self.unit = self.method.unit_at(len(self.layers))
        self._activations = [
            opened(view.settings, state.bundle.model, of_model, method=name, seed=view.run.config.seed)
            for state, of_model in zip(view.run.models, layers, strict=True)
        ]

    def draw(
        self, photograph: Photograph, targets: Sequence[Target], scores: Sequence[dict[str, float]]
    ) -> Iterator[Artifact]:
        """Yield the pictures of a photograph; `scores` are the probabilities by class in each model."""
        heats = self._heats(photograph, targets)
        for index, target in enumerate(targets):
            if len(scores) == 1:
                yield from self._single(photograph, target, heats[0][index], scores[0])
            else:
                yield self._side_by_side(photograph, target, [of[index] for of in heats], scores)

    def explain(self, inputs: np.ndarray, targets: np.ndarray) -> list[Heatmap]:
        """Return the heatmaps of preprocessed pictures in the first model; see `ClassActivation`."""
        return self._activations[0](inputs, targets)

    def _heats(self, photograph: Photograph, targets: Sequence[Target]) -> list[list[Heatmap]]:
        """Return the heatmaps of each model and, in it, of each target."""
        heats = []
        for state, activation in zip(self.view.run.models, self._activations, strict=True):
            bundle = state.bundle
            classes, logits = bundle.contract.class_names, int(bundle.model.output_shape[-1])
            weights = [target.weights(classes, logits) for target in targets]
            inputs = encode([photograph], bundle).repeat(len(targets), axis=0)
            heats.append(activation(inputs, np.stack(weights)) if targets else [])
        return heats

    def _single(
        self, photograph: Photograph, target: Target, heatmap: Heatmap, scores: dict[str, float]
    ) -> Iterator[Artifact]:
        """Yield overlay, figure, heatmap and numbers of one target."""
        scale = HeatScale.of(heatmap.heat, self.view.settings.color_map)
        pixels = self._pixels(photograph)
        heat, overlay = scale.paint(heatmap.heat, pixels, self.view.settings.alpha)
        caption = f"{self._how(heatmap)}; {_score(target, heatmap)}. {self._range(heatmap, scale)}"
        about = self.about(target.title, scale) | {"score": heatmap.score}
        title = f"{target.role}: {target.title}"
        if len(self.view.methods) > 1:
            title += f", {self.method.title}"
        fields = self.view.placeholders(photograph, target, self.name)
        paths = {option: self.view.file_name(option, **fields) for option in FILE_OPTIONS}
        shown: dict[str, Any] = {"photograph": photograph, "about": about}
        text: dict[str, Any] = {"title": title, "caption": caption}
        yield self.view.picture(paths["overlay_file"], overlay, role=Role.overlay, **text, **shown)
        yield self.view.picture(paths["heatmap_file"], heat, role=Role.link, **text, **shown)
        figure = HeatFigure(
            photograph=pixels,
            heat=[(self.method.title, heat), (f"{target.title} ({_probability(target, scores)})", overlay)],
            heading=_heading(photograph, scores),
            title=photograph.name,
            color_map=scale.color_map,
            ends=scale.ends if scale.highest > 0 else None,
            unit=self.unit or "relative",
            note=caption,
        )
        yield self._figure(paths["file"], figure, **text, **shown)
        array = io.BytesIO()
        np.save(array, heatmap.heat, allow_pickle=False)
        numbers = self.view.file(paths["array_file"], array.getvalue(), **shown)
        yield replace(numbers, title=title, role=Role.link)

    def _figure(self, path: str, figure: HeatFigure, *, title: str, caption: str, **shown: Any) -> Artifact:
        suffix = path.rpartition(".")[2]
        content = figure.draw(suffix, self.view.settings.scale)
        if suffix == "png":
            pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            return self.view.picture(path, pixels, title=title, caption=caption, role=Role.link, **shown)
        return replace(self.view.file(path, content, **shown), title=title, caption=caption, role=Role.link)

    def _side_by_side(
        self,
        photograph: Photograph,
        target: Target,
        heatmaps: Sequence[Heatmap],
        scores: Sequence[dict[str, float]],
    ) -> Artifact:
        """Return a sheet with the photograph and the overlay of each model, all heatmaps on one scale."""
        titles = self.view.run.models.titles
        scale = HeatScale.of(
            np.stack([_flat(heatmap.heat) for heatmap in heatmaps]), self.view.settings.color_map
        )
        small = photograph.fit(_SIDE)
        overlays = [scale.paint(heatmap.heat, small, self.view.settings.alpha)[1] for heatmap in heatmaps]
        columns = [
            f"{title}\n{_probability(target, score)}, up to {heatmap.heat.max():.3g}"
            for title, score, heatmap in zip(titles, scores, heatmaps, strict=True)
        ]
        how = f"predicted by {titles[-1]}" if target.role == "predicted" else target.role
        subtitle = (
            f"{target.title} ({how}): {self.where}, all models on one scale. Below each "
            "title: probability and maximum of the map"
        )
        tiles = [Tiles(pixels[None], np.zeros(1, bool), np.zeros(1, int)) for pixels in [small, *overlays]]
        low, high = scale.ends
        labels = (f"{low:.3g}", f"{(low + high) / 2:.3g}", f"{high:.3g}")
        strip = Strip(
            tiles, ["photograph", *columns], "class activation", subtitle, Scale(scale.color_map, labels)
        )
        about = self.about(target.title, scale) | {
            "normalize": "all models on one scale",
            "probability": [score[target.name] for score in scores],
            "score": [heatmap.score for heatmap in heatmaps],
            "highest": [float(heatmap.heat.max()) for heatmap in heatmaps],
        }
        fields = self.view.placeholders(photograph, target, self.name)
        path = self.view.file_name("overlay_file", **fields)
        return strip_picture(self.view, path, strip, photograph, about, numbered=False)

    def _pixels(self, photograph: Photograph) -> np.ndarray:
        """Return the photograph at the size of the overlay; larger files give more detail."""
        if self.view.settings.scale == 1:
            return photograph.small
        height, width = (round(side * self.view.settings.scale) for side in photograph.small.shape[:2])
        return images.resize(photograph.fit(round(LONGEST * self.view.settings.scale)), height, width)

    @property
    def where(self) -> str:
        """The method and the layers."""
        if self.method.at_input:
            return self.method.title
        layers = " and ".join(layer.path for layer in self.layers)
        return f"{self.method.title} at {layers}"

    def _how(self, heatmap: Heatmap) -> str:
        """Return the method, with what it depends on and with the methods that it is equal to."""
        height, width = heatmap.heat.shape
        text = f"{self.where}, {height}×{width} positions"
        averaged = len(self.layers) == 1 and is_averaged(self.view.run.models.first.model, self.layers[0])
        if averaged and self.name in ("grad_cam", "hires_cam"):
            other = METHODS["hires_cam" if self.name == "grad_cam" else "grad_cam"].title
            text += f" (before average pooling, {other} is the same)"
        if not self.method.depends_on_class:
            text += ", which does not depend on the class"
        return text

    def _range(self, heatmap: Heatmap, scale: HeatScale) -> str:
        """Return the sentence on the maximum of the map, or on why it is zero."""
        if heatmap.heat.max() > 0:
            sign = f", minimum {heatmap.heat.min():.3g}" if scale.has_sign else ""
            return f"Maximum: {heatmap.heat.max():.3g}{sign}{remark_on(self.unit)}."
        reason = ": the weighted sum of the maps is zero or negative everywhere" * (not self.method.at_input)
        return f"No position raises this score{reason}."

    def about(self, shown: str | Sequence[str], scale: HeatScale) -> dict[str, Any]:
        """Return the provenance of a picture; `shown` is what it explains."""
        return {
            "method": self.name,
            "layer": [layer.path for layer in self.layers] if len(self.layers) > 1 else self.layers[0].path,
            "class": shown,
            "value_range": list(scale.ends),
            "color_map": scale.color_map,
            "normalize": "own maximum",
        }


def _heading(photograph: Photograph, scores: dict[str, float]) -> str:
    """Return the predicted and the true class with their probabilities."""
    predicted = max(scores, key=lambda name: scores[name])
    text = f"predicted: {predicted} {scores[predicted]:.1%}"
    if photograph.truth in scores:
        text += f"    true: {photograph.truth} {scores[str(photograph.truth)]:.1%}"
    return text


def _score(target: Target, heatmap: Heatmap) -> str:
    kind = "logit" if target.other is None else "difference of the logits"
    return f"{kind} {heatmap.score:.2f}"


def _probability(target: Target, scores: dict[str, float]) -> str:
    text = f"{100 * scores[target.name]:.1f} %"
    return text if target.other is None else f"{text} − {100 * scores[target.other]:.1f} %"


def _flat(heat: np.ndarray) -> np.ndarray:
    """Return the minimum and the maximum of a heatmap."""
    return np.array([heat.min(), heat.max()])
