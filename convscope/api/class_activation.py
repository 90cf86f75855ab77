"""Class activation of an open model: heatmaps as arrays, and as pictures in a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from convscope import images
from convscope.errors import unknown
from convscope.models.bundle import ModelBundle
from convscope.render.heat import HeatScale
from convscope.render.heat_figure import HeatFigure
from convscope.vis.class_activation.head_kind import default_method
from convscope.vis.class_activation.methods import METHODS, ClassActivation
from convscope.vis.class_activation.targets import Target, resolve
from convscope.vis.layer_selection import last_maps, select, without_maps

CAM_METHODS: dict[str, str] = {name: method.title for name, method in METHODS.items()}
_LONGEST = 640  # pixels of a photograph in a picture
_COLOR_MAP = "inferno"


@dataclass(frozen=True, repr=False)
class Explanation:
    """The evidence in one photograph for one class, or for the difference of two.

    Attributes:
        photograph: the index of the photograph.
        target: the class, or "one − other".
        heat: float32 (h, w), at the resolution of the method; 0 or more for methods at feature maps.
        score: the logit of the class, or the difference of two logits.
        probability: the probability of the class, 0 to 1; of the first class for a difference.
        method: the name of the method, from `CAM_METHODS`.
        unit: the unit of the heat, "logit" or "" if only the ratios of its values have a meaning.
        pixels: uint8 (height, width, 3), the photograph, no side longer than 640 pixels.
    """

    photograph: int
    target: str
    heat: np.ndarray
    score: float
    probability: float
    method: str
    unit: str
    pixels: np.ndarray

    def __repr__(self) -> str:
        """Return a summary in one line."""
        return (
            f"<Explanation of {self.target} ({self.probability:.1%}) in photograph {self.photograph}: "
            f"{self.method}, heat {self.heat.shape[0]}×{self.heat.shape[1]}, up to {self.heat.max():.3g}>"
        )

    def overlay(self, *, alpha: float = 0.7) -> Image.Image:
        """Return the photograph with the heatmap on top; `alpha` is the opacity of its maximum, 0 to 1."""
        scale = HeatScale.of(self.heat, _COLOR_MAP)
        return Image.fromarray(scale.paint(self.heat, self.pixels, alpha)[1])

    def _repr_png_(self) -> bytes:
        """Return photograph, heatmap, both and a colour bar as a PNG, for notebooks."""
        scale = HeatScale.of(self.heat, _COLOR_MAP)
        heat, overlay = scale.paint(self.heat, self.pixels, 0.7)
        method = METHODS[self.method]
        figure = HeatFigure(
            photograph=self.pixels,
            heat=[(method.title, heat), (self.target, overlay)],
            heading=f"{self.target} {self.probability:.1%}",
            title=f"photograph {self.photograph}",
            color_map=scale.color_map,
            ends=scale.ends if scale.highest > 0 else None,
            unit=self.unit or "relative",
            note=f"{method.title}, {'×'.join(map(str, self.heat.shape))} positions, score {self.score:.2f}",
        )
        return figure.draw("png")


class Explainer:
    """Class activation of one model, with the settings of one call; later calls run as a compiled graph."""

    def __init__(self, bundle: ModelBundle, method: str | None, layers: Sequence[str], flips: bool) -> None:
        """Check method and layers.

        Raises:
            ConvscopeError: the method or a layer does not exist, or a layer has no feature maps.
        """
        self._bundle = bundle
        self._layers = select(bundle.layers, layers) if layers else [last_maps(bundle.layers)]
        for layer in self._layers:
            if not layer.has_maps:
                raise without_maps(layer, "choose a convolution")
        self.method = method or default_method(bundle.model, self._layers[-1])
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        self._flips = flips
        self._activation = self._open(compiled=False)
        self._calls = 0

    def __call__(
        self, pixels: Sequence[np.ndarray], inputs: np.ndarray, choices: Sequence[str]
    ) -> list[Explanation]:
        """Return the explanations of each photograph, in the order of the photographs and the choices.

        Args:
            pixels: the photographs, uint8 (height, width, 3).
            inputs: the photographs as the input of the model, float32 (n, height, width, channels).
            choices: see `targets.resolve`.
        """
        self._calls += 1
        if self._calls == 2:  # a graph is worth tracing if the model is used again
            self._activation = self._open(compiled=True)
        names = self._bundle.contract.class_names
        chosen = self._targets(inputs, choices)
        if not chosen:
            return []
        logits = int(self._bundle.model.output_shape[-1])
        weights = np.stack([target.weights(names, logits) for _, target in chosen])
        heatmaps = self._activation(inputs[[index for index, _ in chosen]], weights)
        scores = self._activation.probabilities(np.stack([heatmap.logits for heatmap in heatmaps]))
        return [
            Explanation(
                photograph=index,
                target=target.title,
                heat=heatmap.heat,
                score=heatmap.score,
                probability=float(row[names.index(target.name)]),
                method=self.method,
                unit=METHODS[self.method].unit_at(len(self._layers)),
                pixels=images.fit_within(pixels[index], _LONGEST),
            )
            for (index, target), heatmap, row in zip(chosen, heatmaps, scores, strict=True)
        ]

    def _targets(self, inputs: np.ndarray, choices: Sequence[str]) -> list[tuple[int, Target]]:
        """Return the index of the photograph and the target of each explanation."""
        names = self._bundle.contract.class_names
        if set(choices) <= set(names):  # no probabilities are needed
            rows = np.zeros((len(inputs), len(names)))
        else:
            rows = self._activation.probabilities(self._activation.logits(inputs))
        return [
            (index, target)
            for index, row in enumerate(rows)
            for target in resolve(choices, dict(zip(names, map(float, row), strict=True)), None)
        ]

    def _open(self, *, compiled: bool) -> ClassActivation:
        return ClassActivation(
            self._bundle.model, self._layers, self.method, flips=self._flips, compiled=compiled
        )
