"""The methods of class activation, by name, and their application to photographs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from convscope.errors import unknown
from convscope.graph import Layer
from convscope.images import stretch
from convscope.vis.class_activation import at_input, perturbation, weightings
from convscope.vis.class_activation.cut_model import CutModel
from convscope.vis.class_activation.targets import against_nearest
from convscope.vis.class_activation.weightings import Weighting

BATCH = 16  # photographs in one forward pass

# A function of a cut model, inputs float32 (batch, height, width, channels), targets float32 (batch, logits)
# and a seed. It returns the heat, float64 (batch, h, w), and the logits, (batch, logits).
Attribution = Callable[[CutModel, np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Method:
    """A method of class activation.

    Attributes:
        title: the name in captions.
        attribute: the function that computes the heat.
        at_input: whether the heat has the size of the input, and not that of the maps of a layer.
        unit: the unit of the heat, "logit" or "" if only the ratios of its values have a meaning.
        depends_on_class: whether another class gives another heat.
        passes: the number of forward passes that take about as long as one heat; a gradient counts as two.
    """

    title: str
    attribute: Attribution
    at_input: bool = False
    unit: str = ""
    depends_on_class: bool = True
    passes: int = 3

    def unit_at(self, layers: int) -> str:
        """Return the unit at a number of layers: the maps of several layers are divided by their maximum."""
        return self.unit if self.at_input or layers == 1 else ""


def remark_on(unit: str) -> str:
    """Return the unit of a value for the end of a caption."""
    return f" ({unit})" if unit else "; only the ratios of the values have a meaning"


@dataclass(frozen=True)
class Heatmap:
    """The evidence for a score at each position.

    `heat`, float32 (height, width), is 0 or more for methods at maps. `score` is the score of the photograph:
    the logit of a class, or the difference of two. `logits`, float (logits,), are those of the photograph.
    """

    heat: np.ndarray
    score: float
    logits: np.ndarray


def _weighted(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int, *, weighting: Weighting
) -> tuple[np.ndarray, np.ndarray]:
    maps, gradients, logits = cut.at_maps(inputs, targets)
    heats = [weightings.heat(*pair, weighting) for pair in zip(maps, gradients, strict=True)]
    return np.stack(heats), logits


def _finer(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Apply Grad-CAM to the difference from the nearest classes; see `targets.against_nearest`."""
    logits = cut.logits(inputs, keep_maps=True)
    against = np.stack([against_nearest(*pair) for pair in zip(targets, logits, strict=True)])
    return _weighted(cut, inputs, against, seed, weighting=weightings.mean_gradient)


def at_maps(
    title: str, weighting: Weighting, unit: str = "logit", *, depends_on_class: bool = True
) -> Method:
    """Return the method of a weighting of the maps; see `Method`."""
    return Method(
        title, partial(_weighted, weighting=weighting), unit=unit, depends_on_class=depends_on_class
    )


METHODS: dict[str, Method] = {
    "grad_cam": at_maps("Grad-CAM", weightings.mean_gradient),
    "grad_cam_plus_plus": at_maps("Grad-CAM++", weightings.weighted_positive_gradient, ""),
    "hires_cam": at_maps("HiRes-CAM", weightings.gradient_at_each_position),
    "layer_cam": at_maps("Layer-CAM", weightings.positive_gradient_at_each_position),
    "eigen_cam": at_maps("Eigen-CAM", weightings.first_component, "", depends_on_class=False),
    "finer_cam": Method("FinerCAM", _finer, unit="logit"),
    "score_cam": Method("Score-CAM", perturbation.score_cam, passes=perturbation.STRONGEST),
    "gradient": Method("Gradient", at_input.gradient, at_input=True),
    "gradient_times_input": Method(
        "Gradient × input", at_input.gradient_times_input, at_input=True, unit="logit"
    ),
    "smooth_gradient": Method(
        "SmoothGrad", at_input.smooth_gradient, at_input=True, passes=3 * at_input.SAMPLES
    ),
    "integrated_gradients": Method(
        "Integrated gradients",
        at_input.integrated_gradients,
        at_input=True,
        unit="logit",
        passes=3 * at_input.STEPS,
    ),
    "occlusion": Method(
        "Occlusion",
        perturbation.occlusion,
        at_input=True,
        unit="logit",
        passes=(perturbation.PATCHES + 1) ** 2,
    ),
    "rise": Method("RISE", perturbation.rise, at_input=True, passes=perturbation.MASKS),
}


class ClassActivation:
    """A method applied to one layer of a model or to several."""

    def __init__(
        self,
        model: keras.Model,
        layers: Sequence[Layer],
        method: str = "grad_cam",
        *,
        merge: str = "mean",
        flips: bool = False,
        seed: int = 0,
        compiled: bool = False,
    ):
        """Cut the model at the layers.

        Args:
            model: a flat classifier with one input.
            layers: layers with feature maps; methods at the input ignore them.
            method: a name in `METHODS`.
            merge: "mean" or "product" of the heats of several layers, each divided by its maximum. The
                product keeps what all layers agree on.
            flips: whether to average with the heat of the mirrored photograph.
            seed: seed of methods with random numbers.
            compiled: see `CutModel`.

        Raises:
            ConvscopeError: the method is unknown.
        """
        if method not in METHODS:
            raise unknown("class_activation.method", method, METHODS)
        self.method, self._flips, self._seed = METHODS[method], flips, seed
        self._merge: Any = {"mean": np.mean, "product": np.prod}[merge]
        cut_at = layers[:1] if self.method.at_input else layers
        self._cuts = [CutModel(model, layer, compiled=compiled) for layer in cut_at]

    def __call__(self, inputs: np.ndarray, targets: np.ndarray) -> list[Heatmap]:
        """Return the heatmap of each photograph.

        Args:
            inputs: preprocessed pictures, float32 (batch, height, width, channels).
            targets: float32 (batch, logits), from `targets`.
        """
        result: list[Heatmap] = []
        for first in range(0, len(inputs), BATCH):
            result += self._batch(inputs[first : first + BATCH], targets[first : first + BATCH])
        return result

    def of_predictions(self, inputs: np.ndarray, choose: Callable[[np.ndarray], np.ndarray]) -> list[Heatmap]:
        """Return the heatmap of each photograph, for targets that depend on the probabilities.

        A method at the maps of a layer computes these maps once, for the probabilities and for the heat.

        Args:
            inputs: as above, at most `BATCH` pictures.
            choose: a function of the probabilities of the classes, float64 (batch, classes), that returns the
                targets, float32 (batch, logits).
        """
        logits = self._cuts[0].logits(inputs, keep_maps=not self.method.at_input)
        return self._batch(inputs, choose(self.probabilities(logits)))

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logits, float32 (batch, logits)."""
        batches = (inputs[first : first + BATCH] for first in range(0, len(inputs), BATCH))
        return np.concatenate([self._cuts[0].logits(batch) for batch in batches])

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Return the probability of each class, float64 (batch, classes), for logits (batch, logits)."""
        return self._cuts[0].probabilities(logits)

    def _batch(self, inputs: np.ndarray, targets: np.ndarray) -> list[Heatmap]:
        results = [self._at_layer(cut, inputs, targets) for cut in self._cuts]
        of_layers, logits = [heats for heats, _ in results], results[0][1]
        return [
            Heatmap(self._merged(of_photograph).astype(np.float32), float(row @ target), row)
            for *of_photograph, row, target in zip(*of_layers, logits, targets, strict=True)
        ]

    def _at_layer(
        self, cut: CutModel, inputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        heats, logits = self.method.attribute(cut, inputs, targets, self._seed)
        if self._flips:
            mirrored = np.ascontiguousarray(inputs[:, :, ::-1])
            of_mirrored, _ = self.method.attribute(cut, mirrored, targets, self._seed)
            heats = (heats + of_mirrored[:, :, ::-1]) / 2
        return heats, logits

    def _merged(self, heats: Sequence[np.ndarray]) -> np.ndarray:
        """Return one heat for those at several layers; a single heat does not change."""
        if len(heats) == 1:
            return heats[0]
        height, width = np.max([heat.shape for heat in heats], axis=0)
        return self._merge([stretch(relative(heat), height, width) for heat in heats], axis=0)


def relative(heat: np.ndarray) -> np.ndarray:
    """Return the heat divided by its maximum, 0..1; all zero if there is no evidence for the class."""
    highest = float(heat.max())
    return heat / highest if highest > 0 else np.zeros_like(heat)
